/** How people make archives: by tool and by flag, as sh runs it beside a directory `web`, into `$OUT`. */
export interface WayToPack {
  readonly tool: string;
  /** For `sh -eu`. */
  readonly script: string;
  readonly strip?: 0 | 1;
}

const way = (tool: string, script: string, strip?: 0 | 1): WayToPack => ({
  tool,
  script,
  ...(strip === undefined ? {} : { strip }),
});

const gnu = (script: string, strip?: 0 | 1) => way("GNU tar", script, strip);
const bsd = (script: string, strip?: 0 | 1) => way("bsdtar", script, strip);
const git = (script: string, strip?: 0 | 1) => way("git", script, strip);
const npm = (script: string, strip?: 0 | 1) => way("npm", script, strip);
const python = (script: string, strip?: 0 | 1) =>
  way("Python", `python3 -c "import os, shutil, tarfile; out = os.environ['OUT']; ${script}"`, strip);
const pythonAdds = (mode: string, ...adds: string[]) =>
  python(`t = tarfile.open(out, ${mode}); ${adds.map((add) => `t.add(${add})`).join("; ")}; t.close()`);
const nodeTar = (script: string) => way("node-tar", `node -e "import('tar').then(async (t) => { ${script} })"`);

const ownWord = "sed -i '1i strip = 1' web/deployd.toml";
const truncated = "truncate -s 1M web/holes; echo end >> web/holes";

export const waysToPack: readonly WayToPack[] = [
  gnu("tar -cf $OUT -C web ."),
  gnu("tar -czf $OUT -C web ."),
  gnu("tar --zstd -cf $OUT -C web ."),
  gnu("tar --format=posix -cf $OUT -C web ."),
  gnu("tar --format=ustar -cf $OUT -C web ."),
  gnu("tar --format=v7 -cf $OUT -C web ."),
  gnu("cd web; tar -cf $OUT *"),
  gnu("ln web/bin/server web/bin/twin; tar -cf $OUT -C web ."),
  gnu("cd web; tar -czf - . | cat > $OUT"),
  gnu("tar -cf $OUT web"),
  gnu("tar -cf $OUT web", 1),
  gnu("tar -cf $OUT web", 0),
  gnu(`${ownWord}; tar -cf $OUT web`),
  gnu(`${ownWord}; tar -cf $OUT web`, 0),
  gnu(`${ownWord}; tar -cf $OUT -C web .`),
  gnu("tar -cf $OUT -C web .", 1),
  gnu("ln -s ../.. web/public/up; tar -cf $OUT web", 1),
  gnu("rm web/deployd.toml; tar -cf $OUT web"),
  gnu("rm web/deployd.toml; tar -cf $OUT web", 0),
  gnu("rm web/deployd.toml; tar -cf $OUT -C web ."),
  gnu("cd web; tar -cf $OUT .; tar -rf $OUT ./bin/server"),
  gnu("cd web; tar -cf $OUT .; touch -d 2030-01-01 bin/server; tar -uf $OUT ."),
  gnu("cd web; find . | sort | tar -cf $OUT -T -"),
  gnu("cd web; find . | tar --no-recursion -cf $OUT -T -"),
  gnu("cd web; find . -type f -o -type l | tar -cf $OUT -T -"),
  gnu("cd web; tar --no-recursion -cf $OUT . bin bin/server ./bin deployd.toml"),
  gnu(`${truncated}; tar -S -cf $OUT -C web .`),
  gnu(`${truncated}; tar -S --format=posix -cf $OUT -C web .`),
  gnu(`${truncated}; tar -cf $OUT -C web .`),
  gnu("tar -P -cf $OUT $PWD/web/deployd.toml"),
  gnu("cd web/bin; tar -P -cf $OUT ../public"),
  gnu("/usr/bin/python3 -m venv --without-pip web/venv; tar -czf $OUT -C web ."),
  gnu("/usr/bin/python3 -m venv --without-pip --copies web/venv; tar -czf $OUT -C web ."),
  gnu("ln -s ../../shared web/public/up; tar -cf $OUT -C web ."),
  gnu("mkfifo web/pipe; tar -cf $OUT -C web ."),
  gnu("mkdir web/.deployd; tar -cf $OUT -C web ."),
  gnu("touch \"web/a$(printf '\\nb')\"; tar -cf $OUT -C web ."),
  gnu("touch \"web/a$(printf '\\377')\"; tar -cf $OUT -C web ."),
  gnu("tar -g snapshot -cf $OUT -C web ."),
  gnu("tar -V web-1.4.0 -cf $OUT -C web ."),
  gnu("tar -cf a -C web bin; tar -cf b -C web deployd.toml; cat a b > $OUT"),
  gnu("tar -cf $OUT -C web bin; tar -cf b -C web deployd.toml; tar -Af $OUT b"),
  gnu("tar -czf a -C web .; head -c 200 a > $OUT"),
  gnu("tar -cz -C web . | gzip > $OUT"),
  gnu("gzip -c web/package.json > $OUT"),
  gnu("echo '<!doctype html><title>Log in</title>' > $OUT"),
  gnu("echo 'version https://git-lfs.github.com/spec/v1' > $OUT"),
  gnu(": > $OUT"),
  gnu("touch web/._deployd.toml; tar -czf $OUT -C web ."),
  gnu("tar -cjf $OUT -C web ."),
  gnu("tar -cJf $OUT -C web ."),
  gnu("echo 'restart = systemd' > web/deployd.toml; tar -czf $OUT -C web ."),
  gnu("echo 'port = 80' >> web/deployd.toml; tar -czf $OUT -C web ."),
  gnu("mv web/deployd.toml web/my.toml; ln -s my.toml web/deployd.toml; tar -czf $OUT -C web ."),
  gnu("mv web/deployd.toml web/a.toml; ln web/a.toml web/deployd.toml; tar --sort=name -czf $OUT -C web ."),
  gnu("ln -s public web/assets; sed -i 's,uploads,assets/cache,' web/deployd.toml; tar -czf $OUT -C web ."),
  bsd("bsdtar -cf $OUT -C web ."),
  bsd("bsdtar -czf $OUT -C web ."),
  bsd("bsdtar -czf - -C web . | cat > $OUT"),
  bsd("bsdtar --zstd -cf - -C web . | cat > $OUT"),
  bsd("bsdtar --format pax -cf $OUT -C web ."),
  bsd("bsdtar --format gnutar -cf $OUT -C web ."),
  bsd("bsdtar --format v7 -cf $OUT -C web ."),
  bsd("ln web/bin/server web/bin/twin; bsdtar --format pax -cf $OUT -C web ."),
  bsd("bsdtar -czf $OUT web"),
  bsd("bsdtar -czf $OUT web", 1),
  bsd("cd web; bsdtar -cf $OUT .; bsdtar -rf $OUT ./bin/server"),
  bsd("cd web; find . | sort | bsdtar -cf $OUT -T -"),
  bsd("cd web; find . | bsdtar -n -cf $OUT -T -"),
  bsd(`${truncated}; bsdtar -cf $OUT -C web .`),
  bsd(`${truncated}; bsdtar --no-read-sparse -cf $OUT -C web .`),
  bsd("bsdtar -P -cf $OUT $PWD/web/deployd.toml"),
  bsd("bsdtar --format zip -cf $OUT -C web ."),
  bsd("bsdtar --format newc -cf $OUT -C web ."),
  bsd("bsdtar --lz4 -cf $OUT -C web ."),
  bsd("bsdtar --format 7zip -cf $OUT -C web ."),
  pythonAdds("'w:gz'", "'web', '.'"),
  pythonAdds("'w:gz'", "'web', ''"),
  pythonAdds("'w:gz'", "'web'"),
  pythonAdds("'w', format=tarfile.GNU_FORMAT", "'web', ''"),
  pythonAdds("'w', format=tarfile.USTAR_FORMAT", "'web', ''"),
  pythonAdds("'w'", "'web', '.'", "'web/bin/server', 'bin/server'"),
  pythonAdds("'w:xz'", "'web', '.'"),
  python("tarfile.open(out, 'w').add('web', '.')"),
  python("os.rename(shutil.make_archive('a', 'gztar', 'web'), out)"),
  way("busybox", "busybox tar -czf $OUT -C web ."),
  git("git -C web archive -o $OUT.tar HEAD; mv $OUT.tar $OUT"),
  git("git -C web archive --format=tar.gz HEAD > $OUT"),
  git("git -C web archive --prefix=web-1.4.0/ HEAD > $OUT"),
  git("git -C web archive --prefix=web-1.4.0/ HEAD > $OUT", 1),
  git("git -C web archive --format=zip HEAD > $OUT"),
  npm("cd web; npm pack --silent > name; mv $(cat name) $OUT"),
  npm("cd web; npm pack --silent > name; mv $(cat name) $OUT", 1),
  npm("rm web/deployd.toml; cd web; npm pack --silent > name; mv $(cat name) $OUT"),
  npm(`${ownWord}; cd web; npm pack --silent > name; mv $(cat name) $OUT`),
  nodeTar("await t.c({ gzip: true, file: process.env.OUT, cwd: 'web' }, ['.'])"),
  nodeTar("await t.c({ portable: true, file: process.env.OUT, cwd: 'web' }, ['.'])"),
  nodeTar("await t.c({ prefix: 'web', file: process.env.OUT, cwd: 'web' }, ['.'])"),
  nodeTar("await t.c({ file: process.env.OUT, cwd: 'web', preservePaths: true }, [process.cwd() + '/web/bin'])"),
  nodeTar("const o = { file: process.env.OUT, cwd: 'web' }; await t.c(o, ['.']); await t.r(o, ['bin/server'])"),
  way("deployd", "deployd pack web --out $OUT --build any"),
];
