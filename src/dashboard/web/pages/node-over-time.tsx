// How full one node was, and the pods that left it and came to it.
import { computed } from '@preact/signals'
import type { Utilisation } from '../../contract.ts'
import { utilisationSpanNames } from '../../contract-names.ts'
import { spanWords } from '../../words/en-rebalancing.ts'
import { apiPath, nodePath } from '../../words/links.ts'
import { Drawn } from '../drawn/drawn.tsx'
import { utilisationMarkup } from '../drawn/rebalancing/utilisation.ts'
import { onHost } from '../frame/base-path.ts'
import { A, address, keepingMoment } from '../frame/router.tsx'
import { now, zone } from '../frame/time.ts'
import { useAnswer } from '../widgets/answered.ts'
import { StateNote } from '../widgets/state-note.tsx'

/** The finer steps of what it was. */
const step = computed(() => Math.floor(now.value / 30_000))

/** For the last hour, or for two days where the address says so. */
export function NodeOverTime({ node }: { node: string }) {
  const span = utilisationSpanNames.find(name => name === address.value.query.get('span')) ?? 'hour'
  const answer = useAnswer<Utilisation>(apiPath(['nodes', node, 'utilisation'], { span }), step.value)
  const surroundings = { nowMs: now.value, zone: zone.value, link: (path: string) => onHost(keepingMoment(path)) }
  return (
    <section class="overview-section" aria-labelledby="over-time">
      <h2 id="over-time">Over time</h2>
      <ul class="drawn-choices" aria-label="How far back">
        {utilisationSpanNames.map(name => (
          <li key={name}>
            <A href={`${nodePath(node)}?span=${name}`} aria-current={name === span ? 'true' : undefined}>
              {spanWords[name]}
            </A>
          </li>
        ))}
      </ul>
      <StateNote topic={answer} what="what it was" retry={answer.reload}>
        {utilisation => <Drawn of={utilisationMarkup(utilisation, surroundings)} />}
      </StateNote>
    </section>
  )
}
