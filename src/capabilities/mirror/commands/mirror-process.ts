// The process of a mirror that carries nothing but the mirror: `ballast agent` and `ballast spegel registry` become it once they have read its
// settings.
import { startedProcess } from '#cli/started-process.ts'
import type { KnownMirror } from './mirror-alone.ts'

const started = startedProcess()
const { runAlone } = await import('#cli/run-alone.ts')
const { knownSettings } = await import('./mirror-alone.ts')
const { mirrorPart } = await import('./mirror-part.ts')
const { systemClock } = await import('#kube/clock.ts')
if (started.signal.aborted) process.exit(started.interrupted())
await runAlone(started, async ({ settings, hostsRecord }: KnownMirror, { environment, log }) => ({
  part: mirrorPart(await knownSettings(settings, environment), { clock: systemClock, log, hostsRecord }),
}))
