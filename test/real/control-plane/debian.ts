// Programs out of Debian packages of any suite, unpacked into the cache; nothing is installed.
//
// apt gets a state directory of its own per suite, with the mirror that the machine's own package sources name.
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheDirectory, PartUnavailable } from '../cache.ts'
import { commandOutput, runCommand } from '../run-command.ts'

const suites = ['bookworm', 'trixie', 'sid'] as const
export type Suite = (typeof suites)[number]

/** Path of an unpacked kubectl: 1.32 is the one of Debian trixie, the newest that of sid. Throws {@link PartUnavailable}. */
export async function kubectlPath(version: '1.32' | 'newest'): Promise<string> {
  return programPath(version === '1.32' ? 'trixie' : 'sid', 'kubectl', 'usr/bin/kubectl')
}

/** Path of an unpacked etcd (3.5 from sid: newer than what bookworm has, as kube-apiserver wants). Throws {@link PartUnavailable}. */
export async function etcdPath(): Promise<string> {
  return programPath('sid', 'etcd-server', 'usr/bin/etcd')
}

/** Path of a file of an unpacked package. Throws {@link PartUnavailable}. */
export function programPath(suite: Suite, packageName: string, file: string): Promise<string> {
  // One apt at a time in the state of a suite.
  const before = lastOf.get(suite) ?? Promise.resolve()
  const next = before.then(() => unpackedPath(suite, packageName, file))
  lastOf.set(
    suite,
    next.then(
      () => undefined,
      () => undefined, // Told to whoever asked for it.
    ),
  )
  return next
}

const lastOf = new Map<Suite, Promise<void>>()

async function unpackedPath(suite: Suite, packageName: string, file: string): Promise<string> {
  const directory = cacheDirectory(`debian-${suite}`)
  const unpacked = join(directory, packageName)
  if (existsSync(join(unpacked, file))) return join(unpacked, file)
  const options = await aptOptions(suite, directory)
  const download = join(directory, `download-${packageName}-${process.pid}`)
  mkdirSync(download)
  try {
    const fetched = await runCommand('apt-get', [...options, 'download', packageName], { cwd: download })
    const [archive] = globSync('*.deb', { cwd: download })
    if (fetched.code !== 0 || archive === undefined) {
      throw new PartUnavailable(`Debian package ${packageName} of ${suite}: ${fetched.stderr.trim()}`)
    }
    await commandOutput('dpkg', ['-x', join(download, archive), join(download, 'root')])
    rmSync(unpacked, { recursive: true, force: true })
    renameSync(join(download, 'root'), unpacked)
  } finally {
    rmSync(download, { recursive: true, force: true })
  }
  return join(unpacked, file)
}

/**
 * Options that point apt at a state of its own below `directory` for the suite, and for another architecture than this machine's if named;
 * the lists are read on the first use only. Throws {@link PartUnavailable}.
 */
export async function aptOptions(suite: Suite, directory: string, architecture?: string): Promise<string[]> {
  const { uri, signedBy } = machineMirror()
  const state = join(directory, 'apt')
  const options = [
    `Dir::State=${state}/state`,
    `Dir::State::status=${state}/status`,
    `Dir::Cache=${state}/cache`,
    `Dir::Etc::sourcelist=${state}/suite.sources`,
    'Dir::Etc::sourceparts=-',
    'APT::Sandbox::User=',
    'Acquire::Languages=none',
    'APT::Update::Post-Invoke-Success::=',
    ...(architecture === undefined ? [] : [`APT::Architecture=${architecture}`, `APT::Architectures=${architecture}`]),
  ].flatMap(option => ['-o', option])
  if (existsSync(join(state, 'updated'))) return options
  mkdirSync(join(state, 'state', 'lists', 'partial'), { recursive: true })
  mkdirSync(join(state, 'cache', 'archives', 'partial'), { recursive: true })
  writeFileSync(join(state, 'status'), '')
  writeFileSync(
    join(state, 'suite.sources'),
    `Types: deb\nURIs: ${uri}\nSuites: ${suite}\nComponents: main\n${signedBy === undefined ? '' : `Signed-By: ${signedBy}\n`}`,
  )
  const update = await runCommand('apt-get', [...options, 'update'])
  if (update.code !== 0) throw new PartUnavailable(`package lists of Debian ${suite}: ${update.stderr.trim()}`)
  writeFileSync(join(state, 'updated'), '')
  return options
}

/** The release of Debian that this machine has. */
function machineCodename(): string {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  const codename = /^VERSION_CODENAME=(\S+)$/m.exec(release)?.[1]
  if (!/^ID=debian$/m.test(release) || codename === undefined) {
    throw new PartUnavailable('packages of Debian are asked for, and this machine is not Debian: its apt knows no mirror of them')
  }
  return codename
}

/** The suite whose programs run with this machine's C library. Throws {@link PartUnavailable} */
export function machineSuite(): Suite {
  const codename = machineCodename()
  const suite = suites.find(known => known === codename)
  if (suite === undefined) throw new PartUnavailable(`programs for Debian ${codename}: only ${suites.join(', ')} are known here`)
  return suite
}

/** The mirror that this machine's package sources use for its own release. */
function machineMirror(): { readonly uri: string; readonly signedBy: string | undefined } {
  const codename = machineCodename()
  for (const file of globSync('/etc/apt/sources.list.d/*.sources')) {
    for (const stanza of readFileSync(file, 'utf8').split(/\n\s*\n/)) {
      const field = (name: string) => new RegExp(`^${name}:\\s*(.*)$`, 'm').exec(stanza)?.[1]?.trim()
      const uri = field('URIs')?.split(/\s+/)[0]
      if (uri !== undefined && field('Suites')?.split(/\s+/).includes(codename)) {
        return { uri, signedBy: field('Signed-By') }
      }
    }
  }
  const oneLine = new RegExp(`^deb\\s+(?:\\[[^\\]]*\\]\\s+)?(\\S+)\\s+${codename}\\s`, 'm')
  for (const file of ['/etc/apt/sources.list', ...globSync('/etc/apt/sources.list.d/*.list')]) {
    const uri = existsSync(file) ? oneLine.exec(readFileSync(file, 'utf8'))?.[1] : undefined
    if (uri !== undefined) return { uri, signedBy: undefined }
  }
  throw new PartUnavailable(`no package source for ${codename} below /etc/apt`)
}

if (import.meta.main) {
  for (const path of [await etcdPath(), await kubectlPath('1.32'), await kubectlPath('newest')]) console.log(path)
}
