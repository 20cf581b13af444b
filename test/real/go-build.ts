// Builds a Go program once, into the cache. A run of CI builds for a limited time: what is not there by then is left open.
import { existsSync, renameSync } from 'node:fs'
import { PartUnavailable } from './cache.ts'
import { runCommand } from './run-command.ts'

/** What Go says when a module cannot be had here. */
const unreachable = /dial tcp|no such host|i\/o timeout|connection refused|module lookup disabled|TLS handshake|403 Forbidden/
export const goEnvironment = { CGO_ENABLED: '0', GOTOOLCHAIN: 'local', GOFLAGS: '', GOWORK: 'off' }

/** A part that this run had no time to build. What Go compiled of it is kept: the next run goes on from there. */
export class PartLeftUnbuilt extends PartUnavailable {
  override name = 'PartLeftUnbuilt'
}

const limit: { ms: number; until?: number } = { ms: Number.POSITIVE_INFINITY }

/** From the first build on, this run builds for so long, in minutes. */
export function limitBuilding(minutes: number): void {
  limit.ms = minutes * 60_000
}

export interface GoProgram {
  /** As messages name it. */
  readonly what: string
  /** Where it is to lie. */
  readonly path: string
  /** Where the module that it is built in has its go.mod. */
  readonly directory: string
  /** The main package: a path of a package, or `.`. */
  readonly target: string
  readonly flags: readonly string[]
  /** What Go is told to do; `build` without it. */
  readonly command?: readonly string[]
  /** Where C is compiled too: its compiler's options. */
  readonly env?: Readonly<Record<string, string>>
}

/**
 * The program's path, built where it is not there yet (minutes).
 * @throws PartLeftUnbuilt where the time is over; PartUnavailable without Go or a way to its modules
 */
export async function goProgram({ what, path, directory, target, flags, env, command = ['build'] }: GoProgram): Promise<string> {
  if (existsSync(path)) return path
  const now = performance.now()
  limit.until ??= now + limit.ms
  if (now >= limit.until) throw new PartLeftUnbuilt(`${what} is not built: this run has built for ${limit.ms / 60_000} minutes`)
  console.error(`building ${what} (minutes, once)`)
  const unfinished = `${path}.${process.pid}`
  const left = Number.isFinite(limit.until) ? { timeoutMs: Math.ceil(limit.until - now) } : {}
  const build = await runCommand('go', [...command, '-trimpath', ...flags, `-o=${unfinished}`, target], {
    cwd: directory,
    env: { ...goEnvironment, ...env },
    ...left,
  })
  if (build.code !== 0) {
    const said = build.stderr.trim().split('\n').slice(-12).join('\n')
    if (performance.now() >= limit.until) throw new PartLeftUnbuilt(`${what} is not built yet: the time for building is over`)
    if (unreachable.test(build.stderr)) throw new PartUnavailable(`modules of ${what}: ${said}`)
    if (/C compiler "[^"]*" not found|exec: "pkg-config": executable file not found/.test(build.stderr))
      throw new PartUnavailable(`${what} has parts in C: ${said}`)
    if (/go: command not found|spawn go ENOENT/.test(build.stderr)) throw new PartUnavailable(`${what}: Go is not installed`)
    throw new Error(`building ${what} failed: ${said}`)
  }
  renameSync(unfinished, path)
  return path
}
