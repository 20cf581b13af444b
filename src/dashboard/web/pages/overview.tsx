// The first page: what is wrong, what is being done about it, why that is safe, and how the nodes stand.
import { useEffect, useRef } from 'preact/hooks'
import type { ActionButton, Overview, PermitPage } from '../../contract.ts'
import { movesDone } from '../../words/en.ts'
import { pagePaths, planPath } from '../../words/links.ts'
import { Drawn } from '../drawn/drawn.tsx'
import { goalsMarkup } from '../drawn/goals.ts'
import { latestMarkup } from '../drawn/latest.ts'
import type { Surroundings } from '../drawn/markup.ts'
import { planHeadMarkup } from '../drawn/plan-head.ts'
import { freezeText, sleepTile, sourcesTile } from '../drawn/tiles.ts'
import { doingMarkup, safetyMarkup, verdictMarkup } from '../drawn/verdict.ts'
import { onHost } from '../frame/base-path.ts'
import { announce } from '../frame/live-region.tsx'
import { PageTitle } from '../frame/page-title.tsx'
import { at } from '../frame/past.ts'
import { A, keepingMoment } from '../frame/router.tsx'
import { now, zone } from '../frame/time.ts'
import { isConnected, sources } from '../live/live.ts'
import { useTopic } from '../live/topics.ts'
import { NodesSection } from '../nodes/nodes-section.tsx'
import { ActionBar, useActions } from '../widgets/action-bar.tsx'
import { MomentLink } from '../widgets/moment-link.tsx'
import { StateNote } from '../widgets/state-note.tsx'
import './overview.css'

export function OverviewPage() {
  const topic = useTopic<Overview>('overview')
  const overview = topic.value.value
  return (
    <>
      <PageTitle text="Overview" hidden />
      {overview === undefined ? (
        <StateNote topic={topic} what="the overview">
          {() => null}
        </StateNote>
      ) : (
        <Shown overview={overview} />
      )}
    </>
  )
}

/** What drawings depend on. The minute is fine enough for what they say of time. */
function surroundings(): Surroundings {
  return { nowMs: now.value, zone: zone.value, link: path => onHost(keepingMoment(path)) }
}

function Shown({ overview }: { overview: Overview }) {
  useProgress(overview)
  const { plan, doing, buttons } = overview
  return (
    <>
      <section class="overview-verdict" aria-label="How it stands">
        <Drawn of={verdictMarkup(overview, surroundings())} />
        <Safety overview={overview} />
        <div class="overview-act">
          {plan === null ? null : (
            <A class="widgets-button overview-see" href={planPath(plan.name)}>
              See the plan
            </A>
          )}
          <Acting overview={overview} buttons={buttons.filter(({ action }) => action !== 'thaw' && action !== 'freeze')} />
        </div>
      </section>
      <section class="overview-section overview-now" aria-labelledby="now">
        <h2 id="now">Now</h2>
        <Drawn of={doingMarkup(doing, surroundings())} />
      </section>
      <section class="overview-section" aria-labelledby="goals">
        <h2 id="goals">Goals</h2>
        <Drawn of={goalsMarkup(overview, surroundings())} />
      </section>
      <NodesSection overview={overview} />
      <div class="overview-pair">
        <section class="overview-section" aria-labelledby="plan">
          <h2 id="plan">Plan</h2>
          <Drawn of={planHeadMarkup(overview, surroundings())} />
        </section>
        <Latest />
      </div>
      <section class="overview-section" aria-label="More">
        <div class="drawn-tiles">
          <Drawn of={sleepTile(overview, surroundings())} />
          <div class="drawn-tile">
            <h3>Freeze</h3>
            <Drawn of={freezeText(overview, surroundings())} />
            <Freeze overview={overview} />
          </div>
          {at.value === undefined ? <Drawn of={sourcesTile({ sources: sources.value }, surroundings())} /> : null}
        </div>
      </section>
      <MomentLink />
      <BottomBar overview={overview} />
    </>
  )
}

/** On a phone, under the thumb: the one action of the state. */
function BottomBar({ overview: { plan, buttons, freeze } }: { overview: Overview }) {
  const acting = useActions(JSON.stringify([plan?.phase, freeze]))
  const pause = buttons.find(({ action, enabled }) => action === 'pause' && enabled)
  if (plan === null) return null
  return (
    <div class="overview-bar">
      {pause === undefined || !isConnected.value ? (
        <A class="widgets-button widgets-button-prominent" href={planPath(plan.name)}>
          See the plan
        </A>
      ) : (
        <button type="button" class="widgets-button widgets-button-prominent" onClick={() => acting.press(pause)}>
          {pause.label}
        </button>
      )}
    </div>
  )
}

function Safety({ overview: { plan, safety } }: { overview: Overview }) {
  const drawn = plan?.phase === 'Proposed' ? safetyMarkup(safety, surroundings()) : undefined
  return drawn === undefined ? null : <Drawn of={drawn} />
}

function Acting({ overview, buttons }: { overview: Overview; buttons: readonly ActionButton[] }) {
  const { plan, freeze } = overview
  const acting = useActions(JSON.stringify([plan?.name, plan?.phase, plan?.done, freeze]))
  return <ActionBar buttons={buttons} acting={acting} of={plan === null ? 'the cluster' : `plan ${plan.name}`} />
}

function Freeze({ overview }: { overview: Overview }) {
  const buttons = overview.buttons.filter(({ action }) => action === 'freeze')
  const acting = useActions(JSON.stringify(overview.freeze))
  return buttons.length === 0 ? null : (
    <div class="overview-freeze">
      <ActionBar buttons={buttons} acting={acting} of="the cluster" />
    </div>
  )
}

function Latest() {
  const topic = useTopic<PermitPage>('permits')
  return (
    <section class="overview-section overview-latest" aria-labelledby="latest">
      <div class="overview-head">
        <h2 id="latest">Latest decisions</h2>
        <span class="overview-spring" />
        <A href={pagePaths.permits}>All</A>
      </div>
      <StateNote topic={topic} what="permits">
        {({ permits }) => <Drawn of={latestMarkup({ permits, sources: sources.value }, surroundings())} />}
      </StateNote>
    </section>
  )
}

/** Says how far the plan is, to whoever listens instead of looking. */
function useProgress({ plan }: Overview): void {
  const before = useRef(plan)
  useEffect(() => {
    const last = before.current
    before.current = plan
    if (plan === null || last === null || last.name !== plan.name) return
    if (plan.phase === 'Failed' && last.phase !== 'Failed') announce(`The plan ${plan.name} failed.`, true)
    else if (plan.done !== last.done) announce(movesDone(plan))
  }, [plan?.name, plan?.phase, plan?.done])
}
