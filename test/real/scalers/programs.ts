// Programs of servers that no package of Debian has: built of Go modules, or of PyPI's packages in an environment of their own. All lie in the cache.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { builtOnce, cacheDirectory, PartUnavailable } from '../cache.ts'
import { goProgram } from '../go-build.ts'
import { runCommand } from '../run-command.ts'

/** The path of InfluxDB 1.8's server, the last that is Go alone; it answers Flux as version 2 does. @throws PartUnavailable */
export function influxProgram(): Promise<string> {
  return builtOnce('influxd', async () => {
    const version = 'v1.8.10'
    const directory = cacheDirectory(`influxd-${version}`)
    const path = join(directory, 'influxd')
    if (existsSync(path)) return path
    const wrapper = join(directory, 'wrapper')
    mkdirSync(wrapper, { recursive: true })
    writeFileSync(join(wrapper, 'go.mod'), `module wrapper\n\ngo 1.24\n\nrequire github.com/influxdata/influxdb ${version}\n`)
    const target = 'github.com/influxdata/influxdb/cmd/influxd'
    return await goProgram({ what: `InfluxDB ${version}`, path, directory: wrapper, target, flags: ['-mod=mod', '-p=1'] })
  })
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
