// What a node of the terminal's view has in it: its pods, and of each pod why it may go or stays, what would be said now, and what happened. The
// words are those of the page.

import type { Picture } from '../picture.ts'
import { permitPage } from '../views/ledger/permits.ts'
import { nodePodsOf } from '../views/nodes/node.ts'
import { isNotThere } from '../views/not-there.ts'
import type { Viewing } from '../views/viewing.ts'
import { workloadViewOf } from '../views/workloads/workload.ts'
import { printable } from '../words/names.ts'
import { count, cpuShort, memoryShort } from '../words/quantity.ts'
import { timeOfDay } from '../words/time.ts'
import type { Line } from './lines.ts'

/** A pod as a row of the list. */
interface InsideRow {
  /** `namespace/name`. */
  readonly key: string
  readonly cells: readonly [cpu: string, memory: string, may: string, name: string]
  readonly because: string
}

export interface Inside {
  podsOn(node: string): readonly InsideRow[]
  /** Whole sentences, to be folded to the width. */
  whyOf(node: string, pod: string): readonly string[]
  /** The newest decision of the arbiter, in one line; undefined: there is none. */
  latest(): Line | undefined
}

/** Pods of a node that are listed, those first that request most. */
const mostPods = 500
/** Rows of a workload's history that are told. */
const mostHistory = 12

const signs = { granted: '●', queued: '◔', denied: '✕', coalesced: '⋈', observed: '○', 'no-op': '–', dropped: '–' } as const

/** `picture` is asked each time: it changes. */
export function insideOf(picture: () => Picture, viewing: Viewing, zone: string): Inside {
  const podsOn = (node: string) =>
    nodePodsOf(picture(), node, { sort: 'cpu', descending: true, cursor: null, limit: mostPods, query: '' }, viewing)?.pods ?? []
  return {
    podsOn: node =>
      podsOn(node).map(({ ref, cpu, memory, movable, because }) => ({
        key: `${ref.namespace ?? ''}/${ref.name}`,
        cells: [
          cpuShort(cpu.requested),
          memoryShort(memory.requested),
          movable ? 'may go' : 'stays',
          printable(`${ref.namespace ?? ''}/${ref.name}`),
        ],
        because: printable(because.text),
      })),
    whyOf(node, key) {
      const pod = podsOn(node).find(({ ref }) => `${ref.namespace ?? ''}/${ref.name}` === key)
      if (pod === undefined) return ['It is not on this node any more.']
      const { workload } = pod
      const own = [`${pod.movable ? 'It may go' : 'It stays'}: ${pod.because.text}`]
      const view = workload === null ? undefined : workloadViewOf(picture(), workload, viewing)
      if (view === undefined || isNotThere(view)) return own
      const nowMs = picture().nowMs
      const { kind, namespace, name } = view.ref
      return [
        ...own,
        `${kind} ${namespace ?? ''}/${name}: ${view.verdict.sentences.map(({ text }) => text).join(' ')}`,
        ...view.wouldBe.map(
          ({ capability, allowed, because }) =>
            `If asked now, ${capability}: ${allowed ? 'allowed' : 'refused'}, ${because.text}`,
        ),
        ...(view.history.length === 0 ? ['Nothing was done to it that is still kept.'] : []),
        ...view.history
          .slice(0, mostHistory)
          .map(({ at, sign, who, sentence }) => `${timeOfDay(Date.parse(at), zone, nowMs)} ${sign} ${who}: ${sentence.text}`),
        ...(view.history.length > mostHistory ? [`… ${count(view.history.length - mostHistory)} more on its page`] : []),
      ].map(printable)
    },
    latest() {
      const now = picture()
      if (now.loading !== undefined) return undefined
      const [permit] = permitPage(now, { limit: 1 }, viewing).permits
      if (permit === undefined) return undefined
      const { at, decision, capability, verb, target, because } = permit
      const what = `${timeOfDay(Date.parse(at), zone, now.nowMs)} ${signs[decision]} ${decision}: ${capability} ${verb} ${target.namespace ?? ''}/${target.name}`
      const tone = decision === 'denied' ? 'over' : decision === 'queued' ? 'under' : undefined
      return [
        { text: printable(what), ...(tone === undefined ? {} : { tone }) },
        { text: printable(`  ${because.text}`), tone: 'dim' },
      ]
    },
  }
}
