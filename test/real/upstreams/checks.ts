// The recorded upstreams still do what was recorded: the promise of mode observe is about programs, not about files.

import type { UpstreamAct } from '../../upstream-disruptions.ts'
import { recordedUpstream } from '../../upstream-replay.ts'
import type { Check } from '../check.ts'
import { reloaderPort, upstreams } from './build.ts'
import { record } from './record.ts'

export const upstreamChecks: readonly Check[] = upstreams.map(upstream => ({
  ...(upstream === 'reloader' && { port: reloaderPort }),
  name: `${upstream} does to the drop-in cluster what was recorded`,
  async run() {
    const [seen, recorded] = [disruptedBy((await record(upstream)).acts), disruptedBy(recordedUpstream(upstream).acts)]
    if (seen !== recorded) throw new Error(`${upstream}: found ${seen}, expected ${recorded}`)
    return seen
  },
}))

/** Workloads with how often each was disrupted: which pod of several is first is left to chance. */
function disruptedBy(acts: readonly UpstreamAct[]): string {
  const done = acts.filter(({ code }) => code < 300).map(({ subject }) => subject.split('-')[0] ?? '')
  return [...Map.groupBy(done, name => name)]
    .map(([name, of]) => `${name} ${of.length}`)
    .toSorted()
    .join(', ')
}
