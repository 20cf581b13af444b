// A swap of one upstream in one cluster: its record, its steps, and what whoever runs them has to be allowed.
import { ballastNamespace } from '#process/own-names.ts'
import type { ConvertedValues } from '#upstreams/convert-values.ts'
import type { FirstRollouts, Part } from '#upstreams/upstream.ts'
import { missingOf } from './access.ts'
import { apiBack } from './apis/api-back.ts'
import { apiForth } from './apis/api-forth.ts'
import { byHandBack, byHandForth } from './by-hand/by-hand.ts'
import { handoverBack, handoverForth } from './handover.ts'
import { inPlaceBack, inPlaceForth } from './in-place/in-place.ts'
import { ledApiBack } from './led-apis/led-api-back.ts'
import { ledApiForth } from './led-apis/led-api-forth.ts'
import { nodesBack } from './node-back.ts'
import { nodesForth } from './node-forth.ts'
import { offeringBack } from './offering/offering-back.ts'
import { offeringForth } from './offering/offering-forth.ts'
import { sectionAhead } from './own-section.ts'
import type { Place } from './place.ts'
import { publishingBack, publishingForth } from './publishing/publishing.ts'
import { MigrationRecord } from './record.ts'
import { readSituation, wholeOf } from './situation.ts'
import type { Step, Swap, Way } from './step.ts'

interface SwapOptions {
  /** From Ballast to the upstream. */
  readonly back?: boolean
  readonly allowLossy?: boolean
  readonly forgetRelease?: boolean
  /** Who is at it, as others are told. */
  readonly holder: string
  readonly tell?: (line: string) => void
}

type Direction = 'forth' | 'back'

function wayOf(part: Part, towards: Direction): Way {
  if (part.kind === 'api') return towards === 'back' ? apiBack(part) : apiForth(part)
  if (part.kind === 'led-api') return towards === 'back' ? ledApiBack(part) : ledApiForth(part)
  if (part.kind === 'in-place') return towards === 'back' ? inPlaceBack(part) : inPlaceForth(part)
  if (part.kind === 'publishing') return towards === 'back' ? publishingBack(part) : publishingForth(part)
  if (part.kind === 'offering') return towards === 'back' ? offeringBack(part) : offeringForth(part)
  if (part.kind === 'by-hand') return towards === 'back' ? byHandBack : byHandForth(part)
  if (part.kind === 'nodes') return towards === 'back' ? nodesBack(part) : nodesForth(part)
  return towards === 'back' ? handoverBack(part) : handoverForth(part)
}

interface OpenSwap {
  readonly swap: Swap
  readonly steps: readonly Step[]
  /** What is not allowed, with the commands that grant it; `undefined`: all is. */
  missingAccess(): Promise<string | undefined>
  /** What upstream is told, as values of ours, while it is there. */
  converted(): Promise<ConvertedValues | undefined>
  /** What ours rolls out when it is switched on; `undefined`: it is on, or what it does rolls out nothing. */
  firstRollouts(): Promise<FirstRollouts | undefined>
}

/** The swap and its steps for a cluster. @throws StepFailed where there is nothing to swap */
export async function openSwap(place: Place, options: SwapOptions): Promise<OpenSwap> {
  const { theirs, ours } = await readSituation(place)
  const { api, clock, upstream } = place
  const record = await MigrationRecord.read({
    api,
    clock,
    component: upstream.replaced.id,
    namespace: theirs[0]?.namespace ?? ours?.namespace ?? ballastNamespace,
    holder: options.holder,
    // The last write tells others that nobody is at it any more: also when the command was stopped.
    signal: new AbortController().signal,
  })
  const swap: Swap = {
    ...place,
    record,
    allowLossy: options.allowLossy === true,
    forgetRelease: options.forgetRelease === true,
    tell: options.tell ?? (() => undefined),
  }
  const way = wayOf(upstream.replaced.swap.part, options.back === true ? 'back' : 'forth')
  // The record is the first write: what may not be written is asked before it.
  const missingAccess = async () => missingOf(swap, await way.needs(swap))
  const converted = async () => (theirs[0] === undefined ? undefined : (await wholeOf(place, theirs[0])).converted)
  const firstRollouts = async () => {
    const [one] = theirs
    const { firstRollouts: found } = upstream.replaced.swap
    if (found === undefined || one === undefined || options.back === true || ours?.isEnabled === true) return undefined
    const { converted: values } = await wholeOf(place, one)
    const { signal } = place
    return found({ api, clock, signal, namespace: ours?.namespace ?? ballastNamespace }, sectionAhead(swap, ours, values))
  }
  return { swap, steps: await way.steps(swap), missingAccess, converted, firstRollouts }
}
