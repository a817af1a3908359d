#!/bin/sh
# Puts deployd on this machine, or brings it to another version:
#
#   curl -fsSL https://mirror.example/deployd/install.sh | sh -s -- --base-url https://mirror.example/deployd
#
# docs/install.md says what it does. Everything stands in functions, and the braces of the last line are only closed by
# its last character, so a download that was cut runs nothing.
set -eu

usage() {
  cat <<'USAGE'
install.sh --base-url MIRROR [--version X.Y.Z] [--sha256 SUM] [--bin-dir DIR] [--config-dir DIR]
           [--no-systemd | --no-start] [--dry-run]
install.sh --uninstall [--bin-dir DIR] [--no-systemd] [--dry-run]

  --base-url MIRROR  where the files are: a directory, or a file://, http:// or https:// URL (or set DEPLOYD_BASE_URL)
  --version X.Y.Z    take them from MIRROR/vX.Y.Z (default: from MIRROR itself, the latest)
  --sha256 SUM       accept only a binary with this sum, whatever the mirror's SHA256SUMS says
  --bin-dir DIR      where the binary goes (default /usr/local/bin; ~/.local/bin when not root)
  --config-dir DIR   where agent.toml goes (default /etc/deployd)
  --no-systemd       put no unit in place
  --no-start         put the unit in place, but neither start nor restart the agent
  --dry-run          say what would be done, and do nothing
  --uninstall        stop the agent and remove binary and unit; configuration, releases and services stay
  --help             print this

It verifies the download before it touches anything, never overwrites agent.toml, and changes nothing when run again.
As root it installs the agent; as another user only the binary, for deployd ctl.
USAGE
}

say() { printf 'deployd install: %s\n' "$*"; }

# fail WHAT-WAS-ATTEMPTED WHAT-TO-DO [EXIT-CODE]
fail() {
  printf 'deployd install: %s\n  %s\n' "$1" "$2" >&2
  exit "${3:-1}"
}

unit_name=deployd-agent.service
unit_dir=/etc/systemd/system

main() {
  base_url=${DEPLOYD_BASE_URL-}
  version=''
  expected_sum=''
  bin_dir=''
  config_dir=''
  systemd=yes
  start=yes
  dry_run=no
  action=install
  parse_arguments "$@"
  choose_places
  work_dir=''
  staged=''
  trap clean_up EXIT
  end_on_signals
  if [ "$dry_run" = no ]; then one_at_a_time; fi
  case $action in
    install) install ;;
    uninstall) uninstall ;;
  esac
}

# Whoever comes second finds what the first has done. The lock goes with this shell, however it ends; where there is no
# flock, or no place for its file, the renames alone keep the files whole.
one_at_a_time() {
  command -v flock >/dev/null 2>&1 || return 0
  if [ "$(id -u)" -eq 0 ]; then
    lock=/run/deployd-install.lock
    # Not for others to open: whoever holds it keeps root from installing.
    (umask 077 && : >>"$lock") 2>/dev/null || return 0
    exec 9>>"$lock"
  else
    [ -d "${HOME-}" ] && [ -r "$HOME" ] || return 0
    exec 9<"$HOME"
  fi
  if flock -n 9; then return 0; fi
  say "another install.sh is at work on this machine; waiting for it"
  flock 9 || fail "Cannot wait for the other install.sh." "Run this again when it is done."
}

end_on_signals() {
  trap 'exit 129' HUP
  trap 'exit 130' INT
  trap 'exit 143' TERM
}

clean_up() {
  [ -z "$work_dir" ] || rm -rf "$work_dir"
  for leftover in $staged; do rm -f "$leftover"; done
}

parse_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      --base-url | --version | --sha256 | --bin-dir | --config-dir)
        if [ $# -lt 2 ] || [ -z "$2" ]; then fail "Cannot read the arguments: $1 needs a value." "See: install.sh --help" 64; fi
        set_option "$1" "$2"
        shift
        ;;
      --base-url=?* | --version=?* | --sha256=?* | --bin-dir=?* | --config-dir=?*) set_option "${1%%=*}" "${1#*=}" ;;
      --no-systemd) systemd=no ;;
      --no-start) start=no ;;
      --dry-run) dry_run=yes ;;
      --uninstall) action=uninstall ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) fail "Cannot read the arguments: there is no option \"$1\"." "See: install.sh --help" 64 ;;
    esac
    shift
  done
}

set_option() {
  case $1 in
    --base-url) base_url=$2 ;;
    --version) version=${2#v} ;;
    --sha256) expected_sum=$(printf '%s' "$2" | tr 'A-F' 'a-f') ;;
    --bin-dir) bin_dir=$2 ;;
    --config-dir) config_dir=$2 ;;
  esac
}

choose_places() {
  if [ "$(id -u)" -eq 0 ]; then
    : "${bin_dir:=/usr/local/bin}" "${config_dir:=/etc/deployd}"
  else
    systemd=no
    if [ -z "$bin_dir" ]; then
      [ -n "${HOME-}" ] || fail "Cannot choose where to install: HOME is not set." "Give --bin-dir."
      bin_dir=$HOME/.local/bin
    fi
    if [ "$action" = install ] && [ -z "$config_dir" ]; then
      say "not root: only the binary is installed, for deployd ctl; run as root to install the agent"
    fi
  fi
  # They stand in the unit file, where spaces, quotes and percent signs would need an escape each.
  for place in "$bin_dir" "$config_dir"; do
    case $place in
      '' ) ;;
      *[!A-Za-z0-9/._+-]*) fail "Cannot install in \"$place\": it has characters other than letters, digits and / . _ + -." "Give another --bin-dir or --config-dir." 64 ;;
      /*) ;;
      *) fail "Cannot install in \"$place\": it is not an absolute path." "Give --bin-dir and --config-dir from / on." 64 ;;
    esac
  done
  binary=$bin_dir/deployd
  config=${config_dir:+$config_dir/agent.toml}
  unit=$unit_dir/$unit_name
  # sd_booted(3): the directory is there exactly when systemd is the init of this machine.
  if [ "$systemd" = yes ] && [ ! -d /run/systemd/system ]; then
    systemd=no
    say "systemd does not run here: no unit is installed; start \"deployd agent\" with whatever starts services here"
  fi
}

# ---------------------------------------------------------------------------------------------------- install

install() {
  check_source
  name=deployd-linux-$(machine)
  work_dir=$(mktemp -d "${TMPDIR:-/tmp}/deployd-install.XXXXXX") ||
    fail "Cannot make a directory in ${TMPDIR:-/tmp} for the download." "Set TMPDIR to a directory with 200 MB of room."
  fetch "SHA256SUMS" "$work_dir/SHA256SUMS" ||
    fail "Cannot fetch $shown/SHA256SUMS$(told)." "Look whether --base-url${version:+ and --version} are right and the mirror can be reached from here."
  sum=$(sum_of "$name")
  [ -n "$sum" ] || fail "Cannot install from $shown: its SHA256SUMS does not list $name." \
    "It lists: $(listed). Is there a build for this machine ($(uname -m)) on that mirror?"
  if [ -n "$expected_sum" ] && [ "$expected_sum" != "$sum" ]; then
    fail "Cannot accept $shown/$name: its SHA256SUMS says $sum, --sha256 says $expected_sum." "Nothing was changed. Ask who gave you the sum which version it is of."
  fi

  changed=no
  plan_binary
  plan_config
  plan_unit
  if [ "$dry_run" = yes ]; then
    say "dry run: nothing was changed"
    return
  fi
  # Everything is written beside its place first; what follows are renames, which a full disk cannot stop half-way.
  if [ "$binary_plan" != same ]; then stage_binary; fi
  if [ "$config_plan" = new ]; then stage_config; fi
  if [ "$unit_plan" != same ] && [ "$unit_plan" != none ]; then stage_unit; fi
  commit
  if [ "$systemd" = yes ]; then bring_up; fi
  report
}

check_source() {
  [ -n "$base_url" ] || fail "Cannot install: nothing says where the files are." "Give --base-url, as in --base-url https://mirror.example/deployd" 64
  case $version in
    *[!A-Za-z0-9.+-]*) fail "Cannot install version \"$version\": that is no version." "Give it as in --version 0.1.0" 64 ;;
  esac
  case $expected_sum in
    '') ;;
    *[!0-9a-f]*) fail "Cannot read --sha256 \"$expected_sum\": it is not hexadecimal." "Give the 64 digits that sha256sum prints." 64 ;;
    *) [ ${#expected_sum} -eq 64 ] || fail "Cannot read --sha256 \"$expected_sum\": it has ${#expected_sum} digits, not 64." "Give the 64 digits that sha256sum prints." 64 ;;
  esac
  source=${base_url%/}${version:+/v$version}
  case $source in
    http://* | https://*)
      if command -v curl >/dev/null 2>&1; then
        transport=curl
      elif command -v wget >/dev/null 2>&1; then
        transport=wget
      else
        fail "Cannot fetch from $source: neither curl nor wget is installed." "Install one of them, or copy the mirror's files here and give that directory as --base-url."
      fi
      ;;
    file://*%*) fail "Cannot read \"$base_url\": percent escapes in file URLs are not understood." "Give the directory's path instead." 64 ;;
    file:///* | file://localhost/*)
      transport=copy
      source=/${source#file://*/}
      ;;
    *://*) fail "Cannot fetch from \"$base_url\": only file, http and https URLs and directories can be used." "Give another --base-url." 64 ;;
    *) transport=copy ;;
  esac
  # For messages: a URL may have a password in it.
  shown=$(printf '%s' "$source" | sed 's#^\([a-z]*://\)[^/@]*@#\1#')
}

machine() {
  [ "$(uname -s)" = Linux ] || fail "Cannot install on $(uname -s): deployd runs on Linux." "Run it on the machine that deployd is for."
  case $(uname -m) in
    x86_64 | amd64) echo x64 ;;
    aarch64 | arm64) echo arm64 ;;
    *) fail "Cannot install on $(uname -m): there are builds for x86_64 and aarch64." "Build deployd from source on such a machine." ;;
  esac
}

# fetch NAME FILE: what went wrong is left in $work_dir/told
fetch() {
  case $transport in
    curl)
      # A mirror that is asked over https must not send us on to http.
      case $source in https://*) protocols='=https' ;; *) protocols='=http,https' ;; esac
      curl -fsSL --proto "$protocols" --connect-timeout 20 --retry 2 -o "$2" "$source/$1" 2>"$work_dir/told" </dev/null
      ;;
    wget) wget -q -O "$2" "$source/$1" 2>"$work_dir/told" </dev/null ;;
    copy) cp "$source/$1" "$2" 2>"$work_dir/told" ;;
  esac
}

told() {
  text=$(head -n 1 "$work_dir/told" 2>/dev/null || :)
  printf '%s' "${text:+: $text}"
}

# The lines of sha256sum(1): the sum, a space, a space or an asterisk, the name.
sum_of() {
  sed -n "s/^\([0-9a-f]\{64\}\) [ *]\(\.\/\)*$1\$/\1/p" "$work_dir/SHA256SUMS" | head -n 1
}

listed() {
  names=$(sed -n 's/^[0-9a-f]\{64\} [ *]\([A-Za-z0-9._-]*\)$/\1/p' "$work_dir/SHA256SUMS" | head -n 12 | tr '\n' ' ')
  printf '%s' "${names:-nothing }" | sed 's/ $//'
}

sha256() {
  if command -v sha256sum >/dev/null 2>&1; then
    sha256sum "$1" | cut -d ' ' -f 1
  elif command -v openssl >/dev/null 2>&1; then
    openssl dgst -sha256 "$1" | sed 's/^.*= *//'
  else
    fail "Cannot verify $1: neither sha256sum nor openssl is installed." "Install coreutils."
  fi
}

plan_binary() {
  binary_plan=new
  if [ -e "$binary" ]; then
    binary_plan=upgrade
    [ -f "$binary" ] || fail "Cannot install $binary: there is something that is not a file." "Move it away, or give another --bin-dir."
    # A binary that cannot be read here cannot be compared, and is replaced.
    if [ "$(sha256 "$binary")" = "$sum" ]; then binary_plan=same; fi
  fi
  case $binary_plan in
    same) say "$binary is already there ($(version_of "$binary"))" ;;
    new) if [ "$dry_run" = yes ]; then say "would install $binary from $shown/$name (sha256 $sum)"; fi ;;
    upgrade) if [ "$dry_run" = yes ]; then say "would replace $binary ($(version_of "$binary")) by $shown/$name (sha256 $sum)"; fi ;;
  esac
}

plan_config() {
  config_plan=none
  [ -n "$config" ] || return 0
  if [ -e "$config" ]; then
    config_plan=same
    say "$config is already there and stays as it is"
  else
    config_plan=new
    if [ "$dry_run" = yes ]; then say "would write a sample to $config"; fi
  fi
}

plan_unit() {
  unit_plan=none
  [ "$systemd" = yes ] || return 0
  unit_text >"$work_dir/unit"
  if [ ! -e "$unit" ]; then
    unit_plan=new
    if [ "$dry_run" = yes ]; then say "would write $unit"; fi
  elif cmp -s "$work_dir/unit" "$unit"; then
    unit_plan=same
    say "$unit is already there"
  else
    unit_plan=upgrade
    if [ "$dry_run" = yes ]; then say "would replace $unit"; fi
  fi
}

stage_binary() {
  archive=$name.gz
  archive_sum=$(sum_of "$archive")
  download=$work_dir/$name
  fetched=no
  if [ -n "$archive_sum" ] && command -v gzip >/dev/null 2>&1; then
    say "fetching $shown/$archive"
    if fetch "$archive" "$download.gz"; then
      verify "$archive" "$download.gz" "$archive_sum"
      gzip -dc "$download.gz" >"$download" || fail "Cannot unpack $shown/$archive in $work_dir." "Is there room? Set TMPDIR to a directory with 200 MB of it."
      rm -f "$download.gz"
      fetched=yes
    else
      say "it cannot be had$(told); taking the uncompressed file"
    fi
  fi
  if [ "$fetched" = no ]; then
    say "fetching $shown/$name"
    fetch "$name" "$download" || fail "Cannot fetch $shown/$name$(told)." "Nothing was changed. Look whether the mirror is complete and there is room in $work_dir."
  fi
  verify "$name" "$download" "$sum"

  make_directory "$bin_dir"
  new_binary=$bin_dir/.deployd.new.$$
  staged="$staged $new_binary"
  # Copied, not moved: a file from /tmp would keep a label that SELinux does not let systemd run.
  if ! cp "$download" "$new_binary" || ! chmod 0755 "$new_binary"; then
    fail "Cannot write $new_binary." "Nothing was changed. Is there room in $bin_dir, and may $(id -un) write there?"
  fi
  new_version=$(version_of "$new_binary")
  [ -n "$new_version" ] || fail "Cannot use $shown/$name: it does not start on this machine: $(version_trouble "$new_binary")" \
    "Nothing was changed. It needs glibc 2.17 or newer, and a $bin_dir that is not mounted noexec."
  if [ "$binary_plan" = upgrade ]; then
    old_binary=$bin_dir/.deployd.old.$$
    staged="$staged $old_binary"
    ln "$binary" "$old_binary" 2>/dev/null || cp -p "$binary" "$old_binary" ||
      fail "Cannot keep a copy of $binary as $old_binary." "Nothing was changed. Is there room in $bin_dir?"
  fi
  # A machine that loses its power now must not come back with an empty file under the right name.
  sync "$new_binary" 2>/dev/null || sync
}

# verify NAME FILE SUM
verify() {
  found=$(sha256 "$2")
  [ "$found" = "$3" ] || fail "Cannot verify $shown/$1: expected sha256 $3, got $found." \
    "Nothing was changed. Try again; if it stays so, the mirror's files do not belong together or were tampered with."
}

# In / and without what would make a Bun program run something else.
version_of() {
  (
    unset BUN_OPTIONS BUN_BE_BUN
    cd / && "$1" version 2>/dev/null </dev/null
  ) || :
}

version_trouble() {
  (
    unset BUN_OPTIONS BUN_BE_BUN
    cd / && "$1" version 2>&1 </dev/null || echo "exit code $?"
  ) | head -n 2 | tr '\n' ' '
}

make_directory() {
  mkdir -p "$1" || fail "Cannot make the directory $1." "Nothing was changed. Give another directory, or run this as root."
}

stage_config() {
  make_directory "$config_dir"
  new_config=$config_dir/.agent.toml.new.$$
  staged="$staged $new_config"
  # It may come to hold the password for ZooKeeper.
  if ! (umask 077 && sample_config >"$new_config"); then
    fail "Cannot write $new_config." "Nothing was changed. May $(id -un) write there, and is there room?"
  fi
}

stage_unit() {
  new_unit=$unit_dir/.$unit_name.new.$$
  staged="$staged $new_unit"
  make_directory "$unit_dir"
  if ! cp "$work_dir/unit" "$new_unit" || ! chmod 0644 "$new_unit"; then
    fail "Cannot write $new_unit." "Nothing was changed. Is $unit_dir writable, and is there room?"
  fi
  if [ "$unit_plan" = upgrade ]; then
    old_unit=$unit_dir/.$unit_name.old.$$
    staged="$staged $old_unit"
    cp -p "$unit" "$old_unit" || fail "Cannot keep a copy of $unit as $old_unit." "Nothing was changed. Is there room?"
  fi
}

commit() {
  # Between two renames is no place to stop.
  trap '' HUP INT TERM
  if [ "$config_plan" = new ]; then
    # ln refuses to overwrite, should somebody have written the file meanwhile.
    if ! ln "$new_config" "$config" 2>/dev/null; then
      [ -e "$config" ] || fail "Cannot put $config in place." "Look at $config_dir and run this again."
      config_plan=same
      say "$config is there by now and stays as it is"
    fi
    rm -f "$new_config"
  fi
  case $unit_plan in
    new | upgrade)
      mv -f "$new_unit" "$unit" || fail "Cannot put $unit in place." "Look at $unit_dir and run this again."
      changed=yes
      ;;
  esac
  if [ "$binary_plan" != same ]; then
    # A rename: who runs the old binary keeps it, and nobody ever sees half of the new one.
    if ! mv -f "$new_binary" "$binary"; then
      put_back
      fail "Cannot put $binary in place." "Look at $bin_dir and run this again."
    fi
    changed=yes
  fi
  end_on_signals
}

# What was there before, when the new agent does not start.
put_back() {
  case $unit_plan in
    upgrade) mv -f "$old_unit" "$unit" ;;
    new) rm -f "$unit" ;;
  esac
  if [ "$binary_plan" = upgrade ] && [ -e "$old_binary" ]; then mv -f "$old_binary" "$binary"; fi
}

bring_up() {
  [ "$changed" = yes ] || return 0
  systemctl daemon-reload || fail "Cannot make systemd read $unit: systemctl daemon-reload failed." "Run it by hand, then: systemctl restart $unit_name"
  state=$(systemctl is-active "$unit_name" 2>/dev/null || :)
  case $state in
    active | activating | reloading)
      if [ "$start" = no ]; then
        say "the agent still runs as it was started; take the new one up with: systemctl restart $unit_name"
        return 0
      fi
      say "restarting the agent"
      if systemctl restart "$unit_name"; then return 0; fi
      said=$(agent_said)
      put_back
      systemctl daemon-reload || :
      systemctl restart "$unit_name" || :
      fail "Cannot restart the agent with the new binary and unit:
$said" "The former ones were put back, and the agent is $(systemctl is-active "$unit_name" 2>/dev/null || :). See: journalctl -u $unit_name"
      ;;
    *)
      if [ "$unit_plan" != new ] || [ "$config_plan" = new ] || [ "$start" = no ]; then return 0; fi
      start_first
      ;;
  esac
}

# The configuration was there before deployd: a machine that is set up by a program, with nobody to edit the sample.
start_first() {
  if ! trouble=$(check_config); then
    say "the agent is not started: $trouble"
    return 0
  fi
  say "starting the agent"
  systemctl enable --quiet "$unit_name" && systemctl start "$unit_name" && return 0
  fail "Cannot start the agent:
$(agent_said)" "Binary, unit and configuration are in place. See: journalctl -u $unit_name"
}

# With the variables that the unit gives to the agent, and not those of whoever runs this.
check_config() {
  (
    for variable in $(env | sed -n 's/^\(DEPLOYD_[A-Z_]*\)=.*/\1/p'); do unset "$variable"; done
    unset BUN_OPTIONS BUN_BE_BUN
    if [ -f "$config_dir/agent.env" ]; then
      while IFS= read -r line || [ -n "$line" ]; do
        case $line in
          DEPLOYD_*=*)
            value=${line#*=}
            value=${value#[\"\']}
            export "${line%%=*}=${value%[\"\']}"
            ;;
        esac
      done <"$config_dir/agent.env"
    fi
    cd / && "$binary" agent --check --config "$config" 2>&1 </dev/null
  )
}

agent_said() {
  journalctl --quiet --no-pager --output cat -n 5 -u "$unit_name" 2>/dev/null | sed 's/^/    /' || :
}

report() {
  case $binary_plan in
    new) say "installed $binary ($new_version)" ;;
    upgrade) say "replaced $binary ($new_version)" ;;
  esac
  if [ "$config_plan" = new ]; then say "wrote a sample to $config"; fi
  case $unit_plan in
    new) say "wrote $unit" ;;
    upgrade) say "replaced $unit" ;;
  esac
  if [ "$changed" = no ] && [ "$config_plan" != new ]; then say "nothing to do"; fi
  case :${PATH-}: in
    *:"$bin_dir":*) ;;
    *) say "$bin_dir is not in PATH; call $binary, or add it" ;;
  esac
  if [ "$systemd" = yes ]; then
    state=$(systemctl is-active "$unit_name" 2>/dev/null || :)
    case $state in
      active) say "the agent is active" ;;
      *) say "the agent is not running (${state:-unknown}); when $config is right, start it with: systemctl enable --now $unit_name" ;;
    esac
  elif [ "$config_plan" = new ]; then
    say "when $config is right, start the agent with: $binary agent --config $config"
  fi
}

# -------------------------------------------------------------------------------------------------- uninstall

uninstall() {
  if [ "$systemd" = yes ] && [ -e "$unit" ]; then
    if [ "$dry_run" = yes ]; then
      say "would stop the agent and remove $unit"
    else
      systemctl disable --quiet --now "$unit_name" ||
        fail "Cannot stop $unit_name: systemctl disable --now failed." "Nothing was removed. See: systemctl status $unit_name"
      rm -f "$unit" || fail "Cannot remove $unit." "The agent is stopped. Remove the file by hand."
      systemctl daemon-reload || :
      systemctl reset-failed "$unit_name" 2>/dev/null || :
      say "stopped the agent and removed $unit"
    fi
  fi
  if [ -e "$binary" ]; then
    if [ "$dry_run" = yes ]; then
      say "would remove $binary"
    else
      rm -f "$binary" || fail "Cannot remove $binary." "May $(id -un) write to $bin_dir?"
      say "removed $binary"
    fi
  else
    say "there is no $binary"
  fi
  if [ -n "$config_dir" ]; then
    say "kept: $config_dir, /srv/deployd (or what root in agent.toml says, with shared/, the services' data), changes by systemctl edit, traffic rules (nft, iptables), users of run_as, and every service that runs; remove by hand what nobody needs"
    say "in ZooKeeper this host stays registered until: deployd ctl hosts forget SERVICE $(uname -n)"
  fi
  if [ "$dry_run" = yes ]; then say "dry run: nothing was changed"; fi
}

# ------------------------------------------------------------------------------------------------------ files

unit_text() {
  cat <<UNIT
# Written by deployd's install.sh, which overwrites it. For changes of your own: systemctl edit $unit_name
[Unit]
Description=deployd agent: brings this host's services to the builds that ZooKeeper wishes
Wants=network-online.target
After=network-online.target
# An agent that cannot start is tried again for ever: what keeps it may pass, and nobody comes by on a thousand hosts.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=$binary agent --config $config
# DEPLOYD_ZOOKEEPER_DIGEST and the like; readable by root only.
EnvironmentFile=-$config_dir/agent.env
UnsetEnvironment=BUN_OPTIONS BUN_BE_BUN NODE_OPTIONS
WorkingDirectory=/
Restart=always
RestartSec=2
WatchdogSec=30
# A restart that is under way is finished first, within 60 s.
TimeoutStopSec=90
# Services that were started by command live in this unit's control group and must outlive the agent.
KillMode=process
TasksMax=infinity
# The agent makes groups below its own, one for each command of a build, to find what those leave behind.
Delegate=yes
UMask=0022

# The commands of builds inherit all of this. No MemoryDenyWriteExecute: the runtime compiles at run time.
NoNewPrivileges=yes
# For: changing user (SETUID SETGID), files of other users (CHOWN FOWNER DAC_OVERRIDE), signals (KILL), seeing which
# build a process of another user runs (SYS_PTRACE), traffic rules (NET_ADMIN NET_RAW), ports below 1024.
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_CHOWN CAP_FOWNER CAP_DAC_OVERRIDE CAP_KILL CAP_SYS_PTRACE CAP_NET_ADMIN CAP_NET_RAW CAP_NET_BIND_SERVICE
ProtectSystem=full
ProtectKernelTunables=yes
ProtectKernelModules=yes
RestrictNamespaces=yes
LockPersonality=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK

[Install]
WantedBy=multi-user.target
UNIT
}

sample_config() {
  cat <<'SAMPLE'
# agent.toml: what this host is, and what it accepts. Every key: deployd help configuration
# Check it with: deployd agent --check

# Name of this host in ZooKeeper; the machine's host name unless given.
# host = "web-01"
# zone = "a"

# Where services live: <root>/<service>/current is the build that is served.
# root = "/srv/deployd"

[zookeeper]
# FILL IN, as in "zk1:2181,zk2:2181,zk3:2181". DEPLOYD_ZOOKEEPER overrides it.
servers = ""
# chroot = "/deployd"

[status]
# Read-only: /status, /metrics, /livez, /readyz. On loopback unless told otherwise.
# listen = "127.0.0.1:9876"

# One section per service of this host.
[services.web]
# The user that the build's install, start and check commands run as. Required when the agent runs as root.
run_as = "www-data"
# FILL IN: builds are fetched from below these URLs only. Required when the agent runs as root.
sources = ["https://builds.example.com/web/"]
# A source that wants a login has it in a file: a section [sources."https://builds.example.com"] with basic_auth_file.
# systemd units that a build may restart; web.service and web@*.service unless given.
# units = ["web.service"]
SAMPLE
}

{ main "$@"; }
