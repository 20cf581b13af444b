// The mirror as all of a process: what it is handed over by the command that has read its settings, and how it reads that.
import { extname, join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import type { AloneProgram } from '#process/agent/agent-host.ts'
import { CommandRefused, exitCodes } from '#process/surroundings.ts'
import type { MirrorSettings } from '../settings.ts'
import { basicAuthDirectory, readBasicAuth } from './basic-auth-files.ts'

/**
 * How V8 makes machine code. Its middle compiler is left out: that takes 5 MiB with 20,000 digests, and most pulls are over before it pays. The last one
 * reads 5 MiB of Node's program: it comes when the start is over (`afterStart`), for what is called ten times as often as V8 would have it. Measured
 * with this V8; another may not have these flags.
 */
const flags = process.versions.v8.startsWith('13.6.')
  ? ['--no-maglev', '--no-turbofan', '--invocation-count-for-turbofan=30000']
  : []

/** Lets V8 optimise what runs often from now on. */
export function afterStart(): void {
  if (flags.length > 0) setFlagsFromString('--turbofan')
}

/** The settings as JSON has them, without the one secret that is among them: it is read again from its files. */
interface KnownSettings extends Omit<MirrorSettings, 'filters' | 'plainRegistries' | 'basicAuth'> {
  readonly registries: readonly string[] | undefined
  readonly patterns: readonly string[]
  readonly plainRegistries: readonly string[]
  readonly asksCredentials: boolean
}

export interface KnownMirror {
  readonly settings: KnownSettings
  readonly hostsRecord: string | undefined
}

/** The program, and what it is to know. */
export function mirrorAlone(settings: MirrorSettings, hostsRecord: string | undefined): AloneProgram {
  const { filters, plainRegistries, basicAuth, ...plain } = settings
  const known: KnownMirror = {
    settings: {
      ...plain,
      registries: filters.registries === undefined ? undefined : [...filters.registries],
      patterns: filters.patterns.map(({ source }) => source),
      plainRegistries: [...plainRegistries],
      asksCredentials: basicAuth !== undefined,
    },
    hostsRecord,
  }
  return { entry: join(import.meta.dirname, `mirror-process${extname(import.meta.filename)}`), knows: known, flags }
}

/** The settings that they were. @throws CommandRefused where credentials are asked for and their files are gone */
export async function knownSettings(
  { registries, patterns, plainRegistries, asksCredentials, ...plain }: KnownSettings,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<MirrorSettings> {
  const directory = environment['BALLAST_BASIC_AUTH_DIR'] ?? basicAuthDirectory
  const basicAuth = asksCredentials ? readBasicAuth(directory) : undefined
  // Nobody is let in without them because of that.
  if (asksCredentials && basicAuth === undefined)
    throw new CommandRefused(`${directory}: user and password were there, and are gone`, exitCodes.failed)
  return {
    ...plain,
    filters: {
      registries: registries === undefined ? undefined : new Set(registries),
      patterns: patterns.length === 0 ? [] : await parsed(patterns),
    },
    plainRegistries: new Set(plainRegistries),
    basicAuth,
  }
}

/** They were right when they were handed over. What reads them is loaded only for them. */
async function parsed(sources: readonly string[]): Promise<MirrorSettings['filters']['patterns']> {
  const { parsePattern } = await import('#kube/values/regex.ts')
  return sources.map(source => {
    const read = parsePattern(source)
    if (!read.ok) throw new Error(`a pattern that was handed over: ${source}`)
    return read.value
  })
}
