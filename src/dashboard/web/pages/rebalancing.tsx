// Rebalancing over time: the server draws the same without a script.
import { computed } from '@preact/signals'
import type { TargetedSubmitEvent } from 'preact'
import { useMemo } from 'preact/hooks'
import type { Overview, RebalancingView } from '../../contract.ts'
import { utilisationSpanNames } from '../../contract-names.ts'
import { apiPath, rebalancingPath } from '../../words/links.ts'
import { Drawn } from '../drawn/drawn.tsx'
import { controlsMarkup, type RebalancingAsked, rebalancingSections } from '../drawn/rebalancing/page.ts'
import { onHost } from '../frame/base-path.ts'
import { PageTitle } from '../frame/page-title.tsx'
import { address, go, keepingMoment } from '../frame/router.tsx'
import { now, zone } from '../frame/time.ts'
import { useTopic } from '../live/topics.ts'
import { useAnswer } from '../widgets/answered.ts'
import { MomentLink } from '../widgets/moment-link.tsx'
import { StateNote } from '../widgets/state-note.tsx'

/** How often, of the cluster's time, it is asked for anew: the finer steps are as long. */
const stepMs = 30_000
const step = computed(() => Math.floor(now.value / stepMs))
/** Ages in titles need no second. */
const nearlyNow = computed(() => Math.floor(now.value / 10_000) * 10_000)

const link = (path: string) => onHost(keepingMoment(path))

function askedOf(query: URLSearchParams): RebalancingAsked {
  return {
    span: utilisationSpanNames.find(name => name === query.get('span')) ?? 'hour',
    nodes: query.get('nodes')?.trim() ?? '',
    plan: query.get('plan') ?? undefined,
    at: query.get('at') ?? undefined,
  }
}

export function RebalancingPage() {
  const asked = askedOf(address.value.query)
  const { span, nodes, plan } = asked
  const running = useTopic<Overview>('overview').value.value?.plan
  // The stream has the plan at hand only: when it goes on, and when a step is over, the whole is asked for again.
  const again = `${running?.name} ${running?.phase} ${running?.done} ${running?.failed} ${step.value}`
  const path = apiPath(['rebalancing'], { span, nodes: nodes === '' ? null : nodes, plan: plan ?? null })
  const answer = useAnswer<RebalancingView>(path, again)
  return (
    <>
      <PageTitle text="Rebalancing" />
      <Controls asked={asked} />
      <StateNote topic={answer} what="rebalancing" retry={answer.reload}>
        {view => <Drawn of={rebalancingSections(view, asked, { nowMs: nearlyNow.value, zone: zone.value, link })} />}
      </StateNote>
      <MomentLink />
    </>
  )
}

/** Drawn anew only when the address asks for something else: what is being typed stays. */
function Controls({ asked }: { asked: RebalancingAsked }) {
  const drawn = useMemo(() => <Drawn of={controlsMarkup(asked, { link })} />, [asked.span, asked.nodes, asked.plan, asked.at])
  const onSubmit = (event: TargetedSubmitEvent<HTMLDivElement>) => {
    if (!(event.target instanceof HTMLFormElement)) return
    event.preventDefault()
    const nodes = String(new FormData(event.target).get('nodes') ?? '').trim()
    const { span, plan } = asked
    go(rebalancingPath({ span: span === 'hour' ? null : span, nodes: nodes === '' ? null : nodes, plan: plan ?? null }))
  }
  return <div onSubmit={onSubmit}>{drawn}</div>
}
