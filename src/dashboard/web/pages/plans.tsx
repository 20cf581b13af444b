// All plans that are kept, the newest first.
import type { Overview, PlanHead } from '../../contract.ts'
import { noPlansText } from '../../words/en-empty.ts'
import { apiPath, planPath } from '../../words/links.ts'
import { count } from '../../words/quantity.ts'
import { PageTitle } from '../frame/page-title.tsx'
import { A } from '../frame/router.tsx'
import { sources } from '../live/live.ts'
import { useTopic } from '../live/topics.ts'
import { useAnswer } from '../widgets/answered.ts'
import { DataTable } from '../widgets/data-table.tsx'
import { Empty } from '../widgets/empty.tsx'
import { SentenceText } from '../widgets/sentence-text.tsx'
import { StateNote } from '../widgets/state-note.tsx'
import type { Column } from '../widgets/table-props.ts'
import { When } from '../widgets/when.tsx'
import './plan.css'

export function PlansPage() {
  const plan = useTopic<Overview>('overview').value.value?.plan
  // The stream has the plan at hand only: when it changes the list is asked for again.
  const answer = useAnswer<readonly PlanHead[]>(apiPath(['plans']), `${plan?.name} ${plan?.phase} ${plan?.done}`)
  return (
    <>
      <PageTitle text="Plans" />
      <StateNote topic={answer} what="plans" retry={answer.reload}>
        {plans => <Plans plans={plans} />}
      </StateNote>
    </>
  )
}

/** Goals of a plan: a finished plan says what holds, another one what it would bring. */
function goalsOf({ phase, goalsMet }: PlanHead): string {
  if (phase === 'Succeeded' || phase === 'Incomplete') return goalsMet ? '✓ all are met' : '✕ not all are met'
  const isOver = phase === 'Failed' || phase === 'Expired'
  return `${goalsMet ? 'all' : 'not all'} ${isOver ? 'would have been' : 'would be'} met`
}

const columns: readonly Column<PlanHead>[] = [
  {
    key: 'name',
    title: 'Plan',
    isHeader: true,
    cell: plan => <A href={planPath(plan.name)}>{plan.name}</A>,
    value: plan => plan.name,
  },
  { key: 'phase', title: 'Phase', cell: plan => plan.phase, value: plan => plan.phase },
  { key: 'policy', title: 'Policy', cell: plan => plan.policy, value: plan => plan.policy },
  { key: 'moves', title: 'Moves', isNumber: true, cell: plan => count(plan.moves), value: plan => plan.moves },
  { key: 'done', title: 'Done', isNumber: true, cell: plan => count(plan.done), value: plan => plan.done },
  { key: 'failed', title: 'Failed', isNumber: true, cell: plan => count(plan.failed), value: plan => plan.failed },
  { key: 'goals', title: 'Goals', cell: goalsOf, value: plan => plan.goalsMet },
  {
    key: 'created',
    title: 'Made',
    cell: plan => <When at={plan.createdAt} still />,
    value: plan => Date.parse(plan.createdAt),
    isNumber: true,
  },
]

function Plans({ plans }: { plans: readonly PlanHead[] }) {
  const [first] = plans
  return (
    <>
      {first === undefined ? null : (
        <p>
          <A href={planPath(first.name)}>{first.name}</A>
          {': '}
          {first.sentences.map((sentence, index) => (
            <span key={sentence.code}>
              {index === 0 ? '' : ' '}
              <SentenceText of={sentence} />
            </span>
          ))}
        </p>
      )}
      <DataTable
        caption="Plans, the newest first"
        captionHidden
        columns={columns}
        rows={plans}
        rowKey={plan => plan.name}
        open={plan => planPath(plan.name)}
        card={{ height: 84, cell: plan => <PlanCard plan={plan} /> }}
        empty={<Empty>{noPlansText(sources.value)}</Empty>}
      />
    </>
  )
}

function PlanCard({ plan }: { plan: PlanHead }) {
  return (
    <>
      <A href={planPath(plan.name)}>
        <b>{plan.name}</b>
      </A>
      <div>
        {plan.phase} · {plan.done} of {plan.moves} moves done{plan.failed > 0 ? `, ${plan.failed} failed` : ''}
      </div>
      <div class="widgets-muted">
        <When at={plan.createdAt} still /> · {plan.policy}
      </div>
    </>
  )
}
