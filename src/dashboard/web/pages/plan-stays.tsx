// What a plan does not touch: one row a reason, with the workloads and the way out.
import { useState } from 'preact/hooks'
import type { PlanView, Unmovable } from '../../contract.ts'
import { apiPath } from '../../words/links.ts'
import { count } from '../../words/quantity.ts'
import { A } from '../frame/router.tsx'
import { Fold } from '../widgets/fold.tsx'
import { narrow, printing } from '../widgets/narrow.ts'
import { RefLink } from '../widgets/ref-link.tsx'
import { SentenceText } from '../widgets/sentence-text.tsx'

export function PlanStays({ view: { head, stays, unmovable } }: { view: PlanView }) {
  if (stays.pods === 0 && unmovable.length === 0) return null
  return (
    <Fold title={`Not moved: ${count(stays.pods)} of ${count(stays.of)} pods`} open={!narrow.value}>
      {unmovable.length === 0 ? (
        <p class="widgets-muted">No reason is known.</p>
      ) : (
        <ul class="plan-stays">
          {unmovable.map(reason => (
            <Reason key={reason.reason} reason={reason} />
          ))}
        </ul>
      )}
      <div class="widgets-tools">
        <A class="widgets-link" href={apiPath(['export', 'unmovable.csv'], { plan: head.name })} download>
          CSV
        </A>
      </div>
    </Fold>
  )
}

const workloadsShown = 8

function Reason({ reason: { reason, count: pods, workloads, because, remedy } }: { reason: Unmovable }) {
  const [isWhole, showWhole] = useState(false)
  const shown = isWhole || printing.value ? workloads : workloads.slice(0, workloadsShown)
  return (
    <li>
      <p class="plan-reason">
        <b>{reason}</b> <span class="plan-reason-count">{count(pods)}</span>
      </p>
      <div>
        <p>
          <SentenceText of={because} />
          {remedy === null ? null : (
            <>
              {' · '}
              <span class="plan-remedy">
                <SentenceText of={remedy} />
              </span>
            </>
          )}
        </p>
        {workloads.length === 0 ? null : (
          <p class="plan-reason-workloads">
            {shown.map((ref, index) => (
              <span key={`${ref.kind} ${ref.namespace}/${ref.name}`}>
                {index === 0 ? '' : ', '}
                <RefLink of={ref} />
              </span>
            ))}
            {shown.length < workloads.length ? (
              <>
                {' '}
                <button type="button" class="widgets-link" onClick={() => showWhole(true)}>
                  {`and ${count(workloads.length - shown.length)} more`}
                </button>
              </>
            ) : null}
          </p>
        )}
      </div>
    </li>
  )
}
