// The shapes of rebalancing over time as zod, each checked to be one of its type.
import * as z from 'zod'
import type * as contract from './contract.ts'
import { utilisationSpanNames } from './contract.ts'
import { amount, name, planHead, ref, sentence, time, whole } from './contract-schema.ts'

const range = z
  .strictObject({ first: whole(), least: whole(), most: whole(), last: whole() })
  .nullable() satisfies z.ZodType<contract.UtilisationRange | null>
const line = z.strictObject({
  requested: z.array(amount()),
  used: z.array(amount()),
  requestedRange: range,
  usedRange: range,
  goals: z.array(
    z.strictObject({
      name: name(),
      stat: z.enum(['requests', 'usage']),
      min: z.number().nullable(),
      max: z.number().nullable(),
    }),
  ),
}) satisfies z.ZodType<contract.UtilisationLine>

/** `GET /api/v1/nodes/{name}/utilisation`. */
export const utilisation = z.strictObject({
  span: z.enum(utilisationSpanNames),
  from: time(),
  stepMs: whole(),
  steps: whole(),
  since: time().nullable(),
  nodes: z.array(
    z.strictObject({
      node: name(),
      because: sentence,
      cpu: line,
      memory: line,
      marks: z
        .array(
          z.strictObject({
            at: time(),
            way: z.enum(['left', 'came']),
            pod: ref.nullable(),
            other: name().nullable(),
            plan: name().nullable(),
          }),
        )
        .max(40),
      left: whole(),
      came: whole(),
    }),
  ),
  nodeCount: whole(),
  sentences: z.array(sentence),
}) satisfies z.ZodType<contract.Utilisation>

const landingCounts = z.strictObject({
  expected: whole(),
  other: whole(),
  back: whole(),
  pending: whole(),
  unheld: whole(),
}) satisfies z.ZodType<contract.LandingCounts>
const planOutcome = z.strictObject({
  name: name(),
  policy: name(),
  phase: planHead.shape.phase,
  landing: z.enum(['observe', 'prefer', 'hold']),
  startedAt: time().nullable(),
  finishedAt: time().nullable(),
  moves: whole(),
  counts: landingCounts,
  failed: whole(),
  skipped: whole(),
  rate: amount(),
}) satisfies z.ZodType<contract.PlanOutcome>
const shareOutcome = z.strictObject({
  before: amount(),
  planned: amount(),
  landed: amount(),
  measured: amount(),
  now: amount(),
}) satisfies z.ZodType<contract.ShareOutcome>
const planAgainst = z.strictObject({
  outcome: planOutcome,
  sentences: z.array(sentence),
  moves: z
    .array(
      z.strictObject({
        id: name(),
        workload: ref,
        pod: z.strictObject({ namespace: name(), name: name() }),
        from: name(),
        meant: z.array(name()).max(20),
        meantCount: whole(),
        landedOn: name().nullable(),
        result: z.enum([
          ...(['planned', 'waiting', 'running', 'skipped', 'failed'] as const),
          ...(['expected', 'other', 'back', 'pending', 'unheld'] as const),
        ]),
        at: time().nullable(),
        permit: name().nullable(),
        ms: amount(),
        because: sentence.nullable(),
      }),
    )
    .max(100),
  nodes: z.array(z.strictObject({ node: name(), cpu: shareOutcome, memory: shareOutcome })).max(40),
  nodeCount: whole(),
}) satisfies z.ZodType<contract.PlanAgainst>
const evictionSum = z.strictObject({ name: z.string(), evicted: whole(), refused: whole() })

/** `GET /api/v1/rebalancing`. */
export const rebalancingView = z.strictObject({
  sentences: z.array(sentence),
  utilisation,
  plans: z.array(planOutcome).max(20).nullable(),
  planCount: amount(),
  plan: planAgainst.nullable(),
  landings: z
    .strictObject({
      counts: landingCounts,
      plans: whole(),
      foretold: whole(),
      expected: whole(),
      rate: amount(),
      threshold: whole(),
      isTrusted: z.boolean(),
      sentence,
    })
    .nullable(),
  evictions: z
    .strictObject({
      sentence,
      byStrategy: z.array(evictionSum),
      byNode: z.array(evictionSum).max(10),
      rows: z
        .array(
          z.strictObject({
            at: time(),
            pod: ref.nullable(),
            node: name().nullable(),
            strategy: z.string(),
            result: z.enum(['evicted', 'refused']),
            because: z.string(),
            permit: name().nullable(),
          }),
        )
        .max(25),
      total: whole(),
    })
    .nullable(),
  past: z.literal(true).optional(),
}) satisfies z.ZodType<contract.RebalancingView>
