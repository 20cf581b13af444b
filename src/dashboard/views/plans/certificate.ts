// The proof of one move as the plan holds it, with the verifier's word.
import type { PlanMove, RebalancePlan } from '#coordination/api.ts'
import { amountText, findingSentence } from '#planning/sentences.ts'
import { verifierVersion } from '#planning/verifier/version.ts'
import type { MoveCertificate } from '../../contract.ts'
import type { Picture } from '../../picture.ts'
import * as words from '../../words/en-plan.ts'
import { type Verification, verificationOf } from './verification.ts'

/** `undefined`: the plan has no such move. */
export function certificateOf(picture: Picture, plan: RebalancePlan, id: string): MoveCertificate | undefined {
  const move = plan.spec.moves.find(one => one.id === id)
  if (move === undefined) return undefined
  const { requests, freeBefore, freeAfter, filters, landing, budget, snapshotHash } = move.certificate
  return {
    plan: plan.metadata.name,
    move: id,
    sentence: proofSentence(move),
    requests,
    freeBefore,
    freeAfter,
    filters,
    landing: { mode: landing.mode, nodes: landing.nodes, count: landingCount(landing), totals: landing.totals },
    budget: budget === undefined ? null : { ...budget },
    snapshotHash,
    verified: {
      by: `ballast verifier ${verifierVersion}`,
      ...verdictOn(picture, move, verificationOf(picture, plan, { again: true })),
    },
    command: commandOf(picture, plan),
  }
}

const landingCount = ({ nodes, many }: PlanMove['certificate']['landing']): number => many?.count ?? nodes.length

/** The proof in one sentence. */
export function proofSentence(move: PlanMove) {
  const { requests, freeBefore, freeAfter, filters, landing, budget } = move.certificate
  // The resource that is left least of, in proportion: that is what the proof hangs on.
  const [resource = 'cpu'] = Object.keys(requests)
    .filter(name => (requests[name] ?? 0) > 0 && freeBefore[name] !== undefined)
    .toSorted((a, b) => left(a) - left(b))
  function left(name: string): number {
    return (freeAfter[name] ?? 0) / Math.max(1, freeBefore[name] ?? 0)
  }
  return words.proofText({
    move,
    resource: resource === 'cpu' ? 'CPU' : resource,
    freeBefore: amountText(freeBefore[resource] ?? 0, resource),
    freeAfter: amountText(freeAfter[resource] ?? 0, resource),
    allPassed: Object.values(filters).every(verdict => verdict === 'passed'),
    landing: landing.nodes,
    landingCount: landingCount(landing),
    mode: landing.mode,
    budget: budget === undefined ? undefined : { name: budget.name, allowed: budget.allowedBefore, expected: budget.expected },
  })
}

function verdictOn(
  { state, past }: Picture,
  move: PlanMove,
  verification: Verification,
): { readonly passed: boolean; readonly because: string | null } {
  if (verification.kind === 'not-replayed') {
    if (move.from === move.to) return { passed: false, because: words.sameNode({ node: move.to }).text }
    const isGone = past === undefined && !state.nodes.has(move.to)
    return { passed: false, because: isGone ? words.destinationGone({ node: move.to }).text : verification.because }
  }
  const own = verification.findings.filter(finding => finding.move === move.id)
  const [finding] = own.length > 0 ? own : verification.findings.filter(one => one.move === undefined)
  return finding === undefined ? { passed: true, because: null } : { passed: false, because: findingSentence(finding) }
}

/** What asks the same verifier on a command line; of a twin the folder that it was loaded from is the cluster of the plan. */
function commandOf({ mode, twin }: Picture, plan: RebalancePlan): string {
  const { name } = plan.metadata
  const source = mode === 'twin' && twin !== undefined ? ` --cluster ${shellWord(twin.source)}` : ''
  return `kubectl get rebalanceplan ${shellWord(name)} -o yaml > ${shellWord(`${name}.yaml`)} && ballast plan verify ${shellWord(`${name}.yaml`)}${source}`
}

function shellWord(text: string): string {
  return /^[\w./:@%+,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
