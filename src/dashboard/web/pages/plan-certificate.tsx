// The proof of one move, readable: what the pod asks for, what is free, what each filter said, where it may land, and who checked it.
import type { MoveCertificate } from '../../contract.ts'
import { counted } from '../../words/grammar.ts'
import { apiPath } from '../../words/links.ts'
import { count, cpuExact, memoryExact } from '../../words/quantity.ts'
import { useAnswer } from '../widgets/answered.ts'
import { CopyButton } from '../widgets/copy-button.tsx'
import { SentenceText } from '../widgets/sentence-text.tsx'
import { StateNote } from '../widgets/state-note.tsx'

export function Certificate({ plan, move }: { plan: string; move: { readonly id: string } }) {
  const answer = useAnswer<MoveCertificate>(apiPath(['plans', plan, 'moves', move.id, 'certificate']))
  return (
    <div class="plan-certificate">
      <StateNote topic={answer} what="the proof" retry={answer.reload}>
        {certificate => <Proof certificate={certificate} />}
      </StateNote>
    </div>
  )
}

/** The best of many nodes are shown. */
const scoresShown = 8

function Proof({ certificate }: { certificate: MoveCertificate }) {
  const { sentence, requests, freeBefore, freeAfter, filters, landing, budget, snapshotHash, verified, command } = certificate
  const refused = Object.entries(filters).filter(([, verdict]) => verdict !== 'passed')
  const passed = Object.entries(filters).filter(([, verdict]) => verdict === 'passed')
  return (
    <>
      <p class="plan-proof-text">
        <SentenceText of={sentence} />
      </p>
      <div class="plan-proof-columns">
        <table>
          <caption class="frame-unseen">What the pod asks for and what is free where it goes</caption>
          <thead>
            <tr>
              <th scope="col">Resource</th>
              <th scope="col">Request</th>
              <th scope="col">Free before</th>
              <th scope="col">Free after</th>
            </tr>
          </thead>
          <tbody>
            {Object.keys(requests).map(resource => (
              <tr key={resource}>
                <th scope="row">{resource}</th>
                <td>{amount(resource, requests[resource])}</td>
                <td>{amount(resource, freeBefore[resource])}</td>
                <td>{amount(resource, freeAfter[resource])}</td>
              </tr>
            ))}
          </tbody>
        </table>
        <dl>
          <Fact name="Filters">
            {refused.map(([name, verdict]) => (
              <span key={name} class="plan-unmet">{`${name}: ${verdict} `}</span>
            ))}
            {passed.length === 0 ? null : `${passed.map(([name]) => name).join(', ')}: passed`}
          </Fact>
          <Fact name="May land on">
            {`${landing.nodes.join(', ') || (landing.count === 0 ? 'no node' : counted(landing.count, 'node'))} (${landing.mode})`}
            {Object.keys(landing.totals).length === 0
              ? null
              : `; the scheduler's scores: ${Object.entries(landing.totals)
                  .toSorted(([, a], [, b]) => b - a)
                  .slice(0, scoresShown)
                  .map(([node, score]) => `${node} ${count(score)}`)
                  .join(', ')}`}
          </Fact>
          <Fact name="Budget">
            {budget === null
              ? 'no PodDisruptionBudget is asked'
              : Object.entries(budget)
                  .map(([name, value]) => `${name} ${value}`)
                  .join(', ')}
          </Fact>
          <Fact name="Snapshot">
            <code class="plan-hash">{snapshotHash}</code>
          </Fact>
          <Fact name="Verified">
            {verified.passed ? `✓ passed by ${verified.by}` : `✕ ${verified.because ?? 'not passed'} (${verified.by})`}
          </Fact>
        </dl>
      </div>
      <p class="widgets-kubectl-label">The same check on a command line</p>
      <pre class="widgets-kubectl">{command}</pre>
      <CopyButton label="Copy as JSON" text={() => JSON.stringify(certificate, null, 2)} />
    </>
  )
}

function Fact({ name, children }: { name: string; children: preact.ComponentChildren }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}

/** Exact, in the resource's unit. */
function amount(resource: string, value: number | undefined): string {
  if (value === undefined) return '–'
  if (resource === 'cpu') return cpuExact(value)
  return /memory|storage|hugepages/.test(resource) ? memoryExact(value) : count(value)
}
