// A plan, played: what it moves and why, step by step, as it is planned or as it happened. Nothing is done by it.
import type { Overview, Ref } from '../../contract.ts'
import type { ReplayTile, ReplayView } from '../../contract-replay.ts'
import { apiPath, planPath, refPath, replayPath } from '../../words/links.ts'
import { printable } from '../../words/names.ts'
import { sentenceMarkup } from '../drawn/sentence.ts'
import { onHost } from '../frame/base-path.ts'
import { PageTitle } from '../frame/page-title.tsx'
import { A, address, go, keepingMoment } from '../frame/router.tsx'
import { now, zone } from '../frame/time.ts'
import { useTopic } from '../live/topics.ts'
import { ReplayPlayer } from '../replay/player.tsx'
import { useAnswer } from '../widgets/answered.ts'
import { MomentLink } from '../widgets/moment-link.tsx'
import { SentenceText } from '../widgets/sentence-text.tsx'
import { StateNote } from '../widgets/state-note.tsx'
import { When } from '../widgets/when.tsx'
import { Certificate } from './plan-certificate.tsx'

export function ReplayPage() {
  const name = address.value.params['name'] ?? ''
  const pool = address.value.query.get('pool')
  const running = useTopic<Overview>('overview').value.value?.plan
  // What is shown is of the plan that is named; when that goes on, it is asked for again.
  const again = running?.name === name ? `${running.phase} ${running.done} ${running.failed}` : undefined
  const answer = useAnswer<ReplayView>(apiPath(['plans', name, 'replay'], { pool }), again)
  const title = `Replay ${name}`
  return (
    <StateNote topic={answer} title={title} what={`the replay of plan ${name}`} retry={answer.reload} gone={<Back plan={name} />}>
      {view => (
        <article>
          <PageTitle text={title} />
          <p class="widgets-muted">
            Plan <A href={planPath(view.plan)}>{view.plan}</A>, {view.phase}, made <When at={view.madeAt} as="ago" />. What is run
            here is run on paper: nothing of it is done to the cluster.
          </p>
          {view.pool === null ? null : (
            <p>
              Pool <b>{printable(view.pool)}</b> · <A href={replayPath(view.plan)}>all pools</A>
            </p>
          )}
          {view.steps.length === 0 && view.moves > 0 ? <p>No move of the plan has a part in this pool.</p> : null}
          <ReplayPlayer
            key={`${view.plan} ${view.pool ?? ''}`}
            view={view}
            say={sentence => <SentenceText of={sentence} />}
            draw={sentence =>
              sentenceMarkup(sentence, { nowMs: now.peek(), zone: zone.value, link: path => onHost(keepingMoment(path)) })
            }
            proofOf={step => <Certificate plan={view.plan} move={step} />}
            linksOf={tile => <Links tile={tile} />}
            onPool={view.boxes.some(({ kind }) => kind === 'pool') ? chosen => go(replayPath(view.plan, chosen)) : undefined}
          />
          <p class="plan-files">
            <MomentLink />
          </p>
        </article>
      )}
    </StateNote>
  )
}

function Back({ plan }: { plan: string }) {
  return (
    <p>
      <A href={replayPath(plan)}>The whole replay</A> · <A href={planPath(plan)}>Plan {plan}</A>
    </p>
  )
}

/** Its workload, where more is told of it. */
function Links({ tile: { workload, pod } }: { tile: ReplayTile }) {
  const of: Ref | null = workload ?? pod
  if (of === null) return null
  return (
    <p>
      <A href={refPath(of)}>{printable(`${of.kind} ${of.namespace ?? ''}/${of.name}`)}</A>
    </p>
  )
}
