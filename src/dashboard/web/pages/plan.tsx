// A plan: what changes, what it brings, what could go wrong, what is not touched and why.
import { useEffect, useRef } from 'preact/hooks'
import type { Goal, Move, Overview, PlanHead, PlanView, Sentence, WideGoal } from '../../contract.ts'
import { measureName } from '../../words/en.ts'
import { apiPath, pagePaths, planPath, replayPath } from '../../words/links.ts'
import { nearGoal } from '../../words/percent.ts'
import { Drawn } from '../drawn/drawn.tsx'
import { risksMarkup } from '../drawn/risks.ts'
import { announce } from '../frame/live-region.tsx'
import { PageTitle } from '../frame/page-title.tsx'
import { A, address } from '../frame/router.tsx'
import { useTopic } from '../live/topics.ts'
import { ActionBar, useActions } from '../widgets/action-bar.tsx'
import { MomentLink } from '../widgets/moment-link.tsx'
import { SentenceText } from '../widgets/sentence-text.tsx'
import { StateNote } from '../widgets/state-note.tsx'
import { When } from '../widgets/when.tsx'
import { PlanChange } from './plan-change.tsx'
import { PlanMoves } from './plan-moves.tsx'
import { PlanStays } from './plan-stays.tsx'
import './plan.css'

export function PlanPage() {
  const name = address.value.params['name'] ?? ''
  const topic = useTopic<PlanView>(`plan:${name}`)
  return (
    <StateNote topic={topic} title={`Plan ${name}`} what={`plan ${name}`} gone={<A href={pagePaths.plans}>All plans</A>}>
      {view => <Plan key={name} view={view} />}
    </StateNote>
  )
}

const phaseWords: Readonly<Record<PlanHead['phase'], string>> = {
  Pending: 'being made',
  Proposed: 'waiting for approval',
  Approved: 'approved',
  Running: 'running',
  Paused: 'paused',
  Succeeded: 'succeeded',
  Incomplete: 'over, incomplete',
  Failed: 'failed',
  Expired: 'expired',
}

function Plan({ view }: { view: PlanView }) {
  const { head, buttons, notice, safety, risks, goals, wideGoals } = view
  const acting = useActions(
    `${head.phase} ${head.done} ${head.failed} ${buttons.map(button => `${button.action}${button.enabled}`).join()}`,
  )
  useProgress(head)
  return (
    <article class="plan">
      <header class="plan-head">
        <div class="plan-title">
          <PageTitle text={`Plan ${head.name}`} />
          <p class="plan-phase" data-phase={head.phase}>
            <b>{phaseWords[head.phase]}</b>
            {head.expiresAt === null ? null : (
              <>
                , expires <When at={head.expiresAt} as="until" />
              </>
            )}
            <span class="widgets-muted">
              {' '}
              · made <When at={head.createdAt} as="ago" /> for policy {head.policy}
            </span>
          </p>
          {notice === null ? null : (
            <p class="plan-notice">
              <SentenceText of={notice} />
            </p>
          )}
        </div>
        <ActionBar buttons={buttons} acting={acting} of={`plan ${head.name}`} />
      </header>
      <Replaced head={head} />
      <div class="plan-says">
        {head.sentences.map(sentence => (
          <p key={sentence.code}>
            <SentenceText of={elsewhere(sentence, head)} />
          </p>
        ))}
        {safety.length === 0 ? null : (
          <p class="plan-safety">
            {safety.map((sentence, index) => (
              <span key={sentence.code}>
                {index === 0 ? '' : '; '}
                <SentenceText of={elsewhere(sentence, head)} />
              </span>
            ))}
            .
          </p>
        )}
      </div>
      {risks.length === 0 ? null : (
        <section class="overview-section" aria-labelledby="risks">
          <h2 id="risks">{head.phase === 'Proposed' ? 'Risks, before you approve it' : 'Risks'}</h2>
          <Drawn of={risksMarkup(risks)} />
        </section>
      )}
      {goals.length + wideGoals.length === 0 ? null : <PlanGoals goals={goals} wide={wideGoals} />}
      <PlanChange view={view} moving={movingNow(view.moves)} />
      <PlanMoves view={view} />
      <PlanStays view={view} />
      <p class="plan-files">
        {view.moveCount === 0 ? null : (
          <A class="widgets-button" href={replayPath(head.name)}>
            ▶ Replay
          </A>
        )}
        <A class="widgets-button" href={apiPath(['plans', head.name])} download={`${head.name}.json`}>
          Export as JSON
        </A>
        <MomentLink />
      </p>
    </article>
  )
}

/** Without links to the page that is shown already. */
function elsewhere(sentence: Sentence, { name }: PlanHead): Sentence {
  return { ...sentence, links: sentence.links.filter(({ path }) => path !== planPath(name)) }
}

function PlanGoals({ goals, wide }: { goals: readonly Goal[]; wide: readonly WideGoal[] }) {
  return (
    <ul class="plan-goals" aria-label="Goals">
      {goals.map(goal => (
        <li key={goal.name}>
          <span class={goal.met ? 'plan-met' : 'plan-unmet'}>{goal.met ? '✓' : '✕'}</span> <b>{goal.name}</b>{' '}
          <span class="widgets-muted">{`${goal.nodes.slice(0, 3).join(', ')}${goal.nodes.length > 3 ? ` and ${goal.nodes.length - 3} more` : ''}, ${measureName(goal.resource, goal.stat)}`}</span>{' '}
          {nearGoal(goal.now, goal)}
          {goal.after === null ? null : (
            <>
              {' → '}
              <b>{nearGoal(goal.after, { ...goal, met: true })}</b> after
            </>
          )}{' '}
          <span class="widgets-muted">
            ({goal.min === null ? '' : `at least ${goal.min}`}
            {goal.min !== null && goal.max !== null ? ', ' : ''}
            {goal.max === null ? '' : `at most ${goal.max}`})
          </span>
        </li>
      ))}
      {wide.map(({ name, state, after, because }) => (
        <li key={name}>
          <span class={state === 'met' ? 'plan-met' : 'plan-unmet'}>{state === 'met' ? '✓' : state === 'unmet' ? '✕' : '?'}</span>{' '}
          <b>{name}</b> <SentenceText of={because} />
          {after === null ? null : (
            <>
              {' → '}
              <b>{after}</b> after
            </>
          )}
        </li>
      ))}
    </ul>
  )
}

/** The plan that took its place is offered; the page never goes there by itself. */
function Replaced({ head }: { head: PlanHead }) {
  const overview = useTopic<Overview>('overview').value.value
  if (head.replacedBy === null) return null
  const next = overview?.plan?.name === head.replacedBy ? overview.plan : undefined
  return (
    <p class="plan-replaced" role="status">
      This plan was replaced {next === undefined ? '' : <When at={next.createdAt} as="ago" />} by {head.replacedBy}
      {next === undefined ? '' : ` (${next.moves} moves)`}: <A href={planPath(head.replacedBy)}>show it</A>
    </p>
  )
}

function movingNow(moves: readonly Move[]) {
  const move = moves.find(({ state }) => state === 'running')
  return move === undefined ? undefined : { id: move.id, from: move.from, to: move.to }
}

/** Tells a screen reader how far it is. */
function useProgress({ done, moves, phase }: PlanHead): void {
  const before = useRef({ done, phase })
  useEffect(() => {
    if (phase === 'Failed' && before.current.phase !== 'Failed') announce('The plan failed.', true)
    else if (done !== before.current.done) announce(`${done} of ${moves} moves done`)
    before.current = { done, phase }
  }, [done, phase])
}
