// How the watches of a process stand.

import type { Check } from '#coordination/capability.ts'
import type { Clock } from '#kube/clock.ts'
import type { Informers } from '#kube/informers/informer.ts'
import { watchEndSeconds } from '#kube/informers/watch-session.ts'

/** A watch that was not heard of for so long is broken, whatever it says itself: the server ends each before that. */
const longestSilenceMs = (watchEndSeconds + 30) * 1000

/** A check for each watch. */
export function informerChecks(informers: Pick<Informers, 'all' | 'isSettled'>, clock: Clock): readonly Check[] {
  return informers.all().map(informer => {
    const silentMs = informer.isSynced ? clock.elapsed() - informer.lastEventElapsed : 0
    const isSilent = silentMs > longestSilenceMs && informer.state !== 'absent' && informer.state !== 'denied'
    const problem = isSilent ? `not heard of for ${Math.round(silentMs / 1000)} s` : informer.problem
    return {
      name: informer.resource.resource,
      ok: informers.isSettled(informer) && !isSilent,
      ...(informer.state === 'absent' || informer.state === 'denied' ? { state: informer.state } : {}),
      ...(problem === undefined ? {} : { message: problem }),
    }
  })
}
