// Programs that a bare machine may lack (ip, tc, curl, docker-registry, iptables, redis-server, nats-server, databases, nginx, wrk, h2load): those of Debian's packages with all the libraries they want, unpacked
// into the cache and found by PATH from then on. Nothing is installed.
import { accessSync, chmodSync, constants, existsSync, globSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename, delimiter, join } from 'node:path'
import { builtOnce, PartUnavailable } from './cache.ts'
import { unpackedPackages } from './control-plane/debian-packages.ts'

/** Where each package has what is wanted of it; older ones know `/sbin`, newer ones only `/usr/sbin`. */
const packages = {
  ip: 'iproute2',
  tc: 'iproute2',
  curl: 'curl',
  'docker-registry': 'docker-registry',
  iptables: 'iptables',
  'redis-server': 'redis-server',
  'nats-server': 'nats-server',
  postgres: 'postgresql',
  mariadbd: 'mariadb-server',
  beanstalkd: 'beanstalkd',
  'rabbitmq-server': 'rabbitmq-server',
  nginx: 'nginx',
  wrk: 'wrk',
  h2load: 'nghttp2-client',
  'ganesha.nfsd': 'nfs-ganesha-vfs',
  'nfs-ls': 'libnfs-utils',
  'qemu-system-x86_64': 'qemu-system-x86',
  busybox: 'busybox-static',
} as const
/** Programs that Debian's packages link when they are installed, which nobody does here. */
const links: Readonly<Record<string, string>> = { 'iptables-nft': 'iptables' }
export type MachineProgram = keyof typeof packages

/** Parts of every Debian that the machine has itself; a second C library beside its own loader would break both. */
const never = /^(libc6|libc-bin|gcc-\d+-base|debconf|debconf-.*|perl.*|libperl.*|dpkg|init-system-helpers)$/

/** Has each program on PATH. @throws PartUnavailable where the machine lacks one and Debian's package cannot be had */
export async function needPrograms(...names: readonly MachineProgram[]): Promise<void> {
  for (const name of names) {
    if (name === 'postgres') process.env['PATH'] = [...pathEntries(), ...globSync('/usr/lib/postgresql/*/bin')].join(delimiter)
    if (isOnPath(name)) continue
    const directory = await builtOnce(`${packages[name]} with its libraries`, () => unpackedWithLibraries(packages[name]))
    process.env['PATH'] = [...pathEntries(), join(directory, 'programs')].join(delimiter)
    if (!isOnPath(name)) throw new PartUnavailable(`Debian's package ${packages[name]} has no program ${name}`)
  }
}

const pathEntries = () => (process.env['PATH'] ?? '').split(delimiter).filter(entry => entry !== '')

const isOnPath = (name: string): boolean => placeOf(name) !== undefined

/** Where PATH has the program. */
export function placeOf(name: string): string | undefined {
  return pathEntries()
    .map(directory => join(directory, name))
    .find(path => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false // not there, or not for us
      }
    })
}

/** A directory of what the package and all that it depends on are made of, and `programs` that run with those libraries. */
async function unpackedWithLibraries(packageName: string): Promise<string> {
  return await unpackedPackages({ name: `${packageName}-programs`, packages: [packageName], never, finish: writePrograms })
}

/** The loader is asked by name: were the libraries named in the environment, whatever such a program starts would get them too. */
function writePrograms(unfinished: string, directory: string): void {
  const loader = globSync(['/lib64/ld-linux-*.so.*', '/lib/ld-linux-*.so.*'])[0]
  if (loader === undefined) throw new PartUnavailable('no loader of the GNU C library on this machine')
  const libraries = [...new Set(globSync('root/{usr/,}lib/{*-linux-gnu,ganesha}', { cwd: unfinished }))].map(path =>
    join(directory, path),
  )
  mkdirSync(join(unfinished, 'programs'))
  const path = [...libraries, '/lib', '/usr/lib'].join(':')
  // What iptables loads as it goes is looked for where it was built to lie.
  const plugIns = libraries
    .map(library => join(library, 'xtables'))
    .filter(place => existsSync(place.replace(directory, unfinished)))
  const environment = plugIns.length === 0 ? '' : `XTABLES_LIBDIR='${plugIns.join(':')}' `
  for (const file of globSync('root/{{usr/,}{s,}bin,usr/lib/postgresql/*/bin}/*', { cwd: unfinished })) {
    const name = basename(file)
    for (const program of [name, ...(links[name] === undefined ? [] : [links[name]])].map(one =>
      join(unfinished, 'programs', one),
    )) {
      writeFileSync(program, `#!/bin/sh\n${environment}exec ${loader} --library-path '${path}' '${join(directory, file)}' "$@"\n`)
      chmodSync(program, 0o755)
    }
  }
}
