import type { NetworkNamespace } from "../harness/netns.ts";

/*
 * Rules that others have on a host: Docker's and ufw's as iptables-save shows them on a small server, and a table of the
 * administrator's own in nft. Shortened in number, not in kind.
 */

const DOCKER = `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A POSTROUTING -s 172.17.0.2/32 -d 172.17.0.2/32 -p tcp -m tcp --dport 80 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 5000 -j DNAT --to-destination 172.17.0.2:80
COMMIT
*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
:DOCKER - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-ISOLATION-STAGE-1
-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -o docker0 -j DOCKER
-A FORWARD -i docker0 ! -o docker0 -j ACCEPT
-A FORWARD -i docker0 -o docker0 -j ACCEPT
-A DOCKER -d 172.17.0.2/32 ! -i docker0 -o docker0 -p tcp -m tcp --dport 80 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-1 -j RETURN
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
-A DOCKER-ISOLATION-STAGE-2 -j RETURN
-A DOCKER-USER -j RETURN
COMMIT
`;

const DOCKER_IPV6 = `*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d ::1/128 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s fd00:17::/64 ! -o docker0 -j MASQUERADE
COMMIT
`;

const UFW = `*filter
:ufw-after-input - [0:0]
:ufw-after-logging-input - [0:0]
:ufw-before-input - [0:0]
:ufw-not-local - [0:0]
:ufw-user-input - [0:0]
:ufw-user-limit - [0:0]
-A INPUT -j ufw-before-input
-A INPUT -j ufw-after-input
-A INPUT -j ufw-after-logging-input
-A ufw-after-input -p udp -m udp --dport 137 -j RETURN
-A ufw-after-logging-input -m limit --limit 3/min --limit-burst 10 -j LOG --log-prefix "[UFW BLOCK] "
-A ufw-before-input -i lo -j ACCEPT
-A ufw-before-input -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A ufw-before-input -m conntrack --ctstate INVALID -j DROP
-A ufw-before-input -p icmp -m icmp --icmp-type 8 -j ACCEPT
-A ufw-before-input -j ufw-not-local
-A ufw-before-input -j ufw-user-input
-A ufw-not-local -m addrtype --dst-type LOCAL -j RETURN
-A ufw-not-local -m limit --limit 3/min --limit-burst 10 -j DROP
-A ufw-user-input -p tcp -m tcp --dport 22 -m comment --comment "dapp_OpenSSH" -j ufw-user-limit
-A ufw-user-input -p tcp -m multiport --dports 80,443 -j ACCEPT
-A ufw-user-limit -j REJECT --reject-with icmp-port-unreachable
COMMIT
`;

const ADMINISTRATOR = `
table inet site {
  set friends { type ipv4_addr; flags interval; elements = { 10.0.0.0/8, 192.0.2.7 } }
  chain input {
    type filter hook input priority filter; policy accept;
    ct state vmap { established : accept, related : accept, invalid : drop }
    iif "lo" accept
    ip saddr @friends tcp dport { 22, 9100 } accept comment "friends"
  }
  chain forwards {
    type nat hook prerouting priority dstnat + 5; policy accept;
    tcp dport 2222 dnat ip to 10.0.0.9:22
  }
}
`;

const SAVES = ["iptables-legacy-save", "ip6tables-legacy-save", "iptables-nft-save", "ip6tables-nft-save"];

/** Puts all of them into the namespace: Docker and ufw in both variants of iptables. */
export async function moveIn(namespace: NetworkNamespace): Promise<void> {
  for (const variant of ["legacy", "nft"]) {
    await namespace.must([`iptables-${variant}-restore`], DOCKER);
    await namespace.must([`iptables-${variant}-restore`, "--noflush"], UFW);
    await namespace.must([`ip6tables-${variant}-restore`], DOCKER_IPV6);
  }
  await namespace.must(["nft", "-f", "-"], ADMINISTRATOR);
}

/** All rules of the namespace but those with `own` in their names, to be compared byte by byte. */
export async function othersRules(namespace: NetworkNamespace, own: RegExp): Promise<string> {
  const dumps: string[] = [];
  for (const save of SAVES) {
    const dump = await namespace.must([save]);
    // The comments carry the time.
    dumps.push(...dump.split("\n").filter((line) => !line.startsWith("#") && !own.test(line)));
  }
  const tables = (await namespace.must(["nft", "list", "tables"])).trim().split("\n");
  // Those of iptables-nft were dumped above; there our jumps are among their rules.
  for (const table of tables.filter((name) => name.startsWith("table inet ") && !own.test(name))) {
    dumps.push(await namespace.must(["nft", "list", ...table.split(" ")]));
  }
  return dumps.join("\n");
}

/** Every rule that there is, without the counters, which go on counting. */
export async function allRules(namespace: NetworkNamespace): Promise<string> {
  const dumps = [await namespace.must(["nft", "list", "ruleset"])];
  for (const save of SAVES.filter((name) => name.includes("legacy"))) dumps.push(await namespace.must([save]));
  return dumps
    .join("\n")
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .replaceAll(/\[\d+:\d+\]|packets \d+ bytes \d+/g, "");
}
