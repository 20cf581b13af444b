// Programs of servers that no package of Debian has: built of Go modules, or of PyPI's packages in an environment of their own. All lie in the cache.
import { appendFileSync, chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { builtOnce, cacheDirectory, PartUnavailable } from '../cache.ts'
import { goEnvironment, goProgram } from '../go-build.ts'
import { runCommand } from '../run-command.ts'

interface GoServer {
  readonly module: string
  readonly version: string
  readonly command: string
  /** The version of the language that the module asks for. */
  readonly go: string
  /** Files below the module that its archive lacks, and the program does not start without. */
  readonly missing?: Readonly<Record<string, string>>
}

/** InfluxDB 1.8 is the last that is Go alone; it answers Flux as version 2 does. FerretDB 1 keeps what MongoDB's clients give it in SQLite. */
const goServers = {
  influxd: { module: 'github.com/influxdata/influxdb', version: 'v1.8.10', command: 'cmd/influxd', go: '1.24' },
  ferretdb: {
    ...{ module: 'github.com/FerretDB/FerretDB', version: 'v1.24.2', command: 'cmd/ferretdb', go: '1.24' },
    missing: { 'build/version/version.txt': 'v1.24.2' },
  },
  temporal: { module: 'github.com/temporalio/cli', version: 'v1.5.1', command: 'cmd/temporal', go: '1.25.0' },
} as const satisfies Readonly<Record<string, GoServer>>

/** The path of a server, and what it is. @throws PartUnavailable */
export async function goServer(name: keyof typeof goServers): Promise<{ readonly program: string; readonly version: string }> {
  const { module, version, command, go, missing }: GoServer = goServers[name]
  const program = await builtOnce(name, async () => {
    const directory = cacheDirectory(`${name}-${version}`)
    const path = join(directory, name)
    if (existsSync(path)) return path
    const wrapper = join(directory, 'wrapper')
    mkdirSync(wrapper, { recursive: true })
    writeFileSync(join(wrapper, 'go.mod'), `module wrapper\n\ngo ${go}\n\nrequire ${module} ${version}\n`)
    if (missing !== undefined) {
      await completed(join(directory, 'source'), `${module}@${version}`, missing)
      appendFileSync(join(wrapper, 'go.mod'), `\nreplace ${module} => ../source\n`)
    }
    const flags = ['-mod=mod', '-p=1', '-ldflags=-s -w']
    return await goProgram({ what: `${name} ${version}`, path, directory: wrapper, target: `${module}/${command}`, flags })
  })
  return { program, version }
}

/** A copy of a module with files that its archive lacks. @throws PartUnavailable */
async function completed(directory: string, module: string, files: Readonly<Record<string, string>>): Promise<void> {
  const downloaded = await runCommand('go', ['mod', 'download', '-json', module], { env: goEnvironment })
  if (downloaded.code !== 0) throw new PartUnavailable(`the Go module ${module} cannot be fetched: ${downloaded.stderr.trim()}`)
  const { Dir: source } = JSON.parse(downloaded.stdout) as { readonly Dir: string }
  rmSync(directory, { recursive: true, force: true })
  cpSync(source, directory, { recursive: true })
  for (const [name, text] of Object.entries(files)) {
    // Go keeps its modules read-only.
    const folder = dirname(join(directory, name))
    chmodSync(folder, 0o755)
    writeFileSync(join(directory, name), `${text}\n`)
  }
}

/** The path of a Python that has these packages. @throws PartUnavailable */
export function pythonWith(name: string, ...packages: readonly string[]): Promise<string> {
  return builtOnce(`Python for ${name}`, async () => {
    const directory = join(cacheDirectory('python'), name)
    const program = join(directory, 'bin', 'python')
    const whole = join(directory, 'whole')
    if (existsSync(whole)) return program
    rmSync(directory, { recursive: true, force: true })
    const made = await runCommand('python3', ['-m', 'venv', directory])
    if (made.code !== 0) throw new PartUnavailable(`Python for ${name}: ${made.stderr.trim().slice(-500)}`)
    const fetched = await runCommand(program, ['-m', 'pip', 'install', '--quiet', ...packages])
    if (fetched.code !== 0) throw new PartUnavailable(`packages for ${name}: ${fetched.stderr.trim().slice(-500)}`)
    writeFileSync(`${whole}.part`, `${packages.join('\n')}\n`)
    renameSync(`${whole}.part`, whole)
    return program
  })
}
