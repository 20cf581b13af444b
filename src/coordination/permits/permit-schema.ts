// The schema of a DisruptionPermit: what was asked, what was granted, how it ended. The definition of the kind is made from it.
import * as z from 'zod'
import { disruptionClasses, mostDestinations, purposes, rolloutMarks, verbs } from '../intent.ts'
import { endings, landings } from './permit-words.ts'

const name = () => z.string().min(1).max(253)
const timestamp = () => z.string().max(40)

const target = z.object({
  apiVersion: z.string().max(317),
  kind: z.string().max(63),
  namespace: name().exactOptional(),
  name: name(),
  uid: z.string().max(128).exactOptional(),
})

const wouldBe = z.object({
  decision: z.enum(['Queued', 'Denied', 'NoOp']),
  rule: z.string().max(63),
  message: z.string().max(1024),
})

const quantities = () => z.record(z.string().max(317), z.string().max(63))

const templateChange = z.object({
  annotations: z.record(z.string().max(317), z.string().max(4096)).exactOptional(),
  env: z
    .array(z.object({ container: z.string().max(63), name: z.string().max(256), value: z.string().max(4096) }))
    .max(64)
    .exactOptional(),
  removeEnv: z
    .array(z.object({ container: z.string().max(63), name: z.string().max(256) }))
    .max(64)
    .exactOptional(),
  resources: z
    .array(
      z.object({ container: z.string().max(63), requests: quantities().exactOptional(), limits: quantities().exactOptional() }),
    )
    .max(64)
    .exactOptional(),
})

const relocation = z.object({ from: name(), to: z.array(name()).min(1).max(mostDestinations) })

const reason = z.object({
  code: z.string().max(128),
  message: z.string().max(1024),
  data: z.record(z.string().max(63), z.string().max(1024)).exactOptional(),
})

const joined = z.object({
  requester: z.string().min(1).max(63),
  class: z.enum(disruptionClasses),
  verb: z.enum(verbs),
  purpose: z.enum(purposes),
  reasons: z.array(reason).max(32).default([]),
  idempotencyKey: z.string().min(1).max(512),
  change: templateChange.exactOptional(),
  mark: z.enum(rolloutMarks).exactOptional(),
  relocation: relocation.exactOptional(),
  member: z.int().min(0).max(499).exactOptional().describe('of a shared permit: which member it goes along with'),
})

/** One of several wishes that were asked for together. What it does not say is said by the permit for all. */
const member = z.object({
  idempotencyKey: z.string().min(1).max(512),
  token: z.int().min(1),
  targets: z
    .int()
    .min(1)
    .max(500)
    .exactOptional()
    .describe('how many of spec.targets are its own, in order; 1 where it does not say'),
  workload: z.string().max(600).exactOptional(),
  reasons: z.array(reason).max(32).exactOptional(),
  change: templateChange.exactOptional(),
  relocation: relocation.exactOptional(),
  replicas: z.int().min(0).exactOptional(),
  nodes: z.array(z.int().min(0).max(499)).max(500).exactOptional().describe('of spec.nodes, by number from 0'),
  siblings: z.array(z.string().max(128)).max(64).exactOptional(),
  deadline: timestamp().exactOptional(),
  expiresAt: timestamp().exactOptional(),
  wouldBe: wouldBe.exactOptional(),
})

const memberEnd = z.object({
  member: z.int().min(0).max(499).describe('of spec.members, by number from 0'),
  releasedAt: timestamp(),
  ending: z.enum(endings).exactOptional(),
  reason: z.string().max(256).exactOptional(),
  landing: z.enum(landings).exactOptional(),
})

const dropped = z.object({
  requester: z.string().min(1).max(63),
  idempotencyKey: z.string().min(1).max(512),
  message: z.string().max(1024),
})

const disruptionPermitFields = z.object({
  requester: z.string().min(1).max(63),
  class: z.enum(disruptionClasses),
  verb: z.enum(verbs),
  purpose: z.enum(purposes).default('move'),
  targets: z.array(target).min(1).max(500),
  workload: z.string().max(600).exactOptional().describe('what is locked while the permit is out: `namespace/Kind/name`'),
  reasons: z.array(reason).max(32).default([]),
  idempotencyKey: z.string().min(1).max(512),
  batch: z.string().max(253).exactOptional(),
  change: templateChange.exactOptional(),
  mark: z.enum(rolloutMarks).exactOptional().describe('`none`: the change makes new pods by itself'),
  fieldManager: z.string().max(128).exactOptional().describe('in whose name the effect is written'),
  relocation: relocation.exactOptional(),
  replicas: z.int().min(0).exactOptional().describe('of `scale`: how many are wanted'),
  nodes: z.array(name()).max(500).default([]).describe('nodes that lose pods by it'),
  joined: z.array(joined).max(128).default([]).describe('what goes along without a disruption of its own'),
  members: z
    .array(member)
    .max(500)
    .exactOptional()
    .describe('wishes that were granted together, each with the next of spec.targets'),
  deadline: timestamp(),
  siblings: z
    .array(z.string().max(128))
    .max(64)
    .default([])
    .describe('UIDs of the newest pods of the workload when it was granted'),
  grant: z
    .object({
      token: z.int().min(1),
      at: timestamp(),
      expiresAt: timestamp(),
      wouldBe: wouldBe.exactOptional(),
    })
    .exactOptional()
    .describe('written by the arbiter alone, once; a permit without one is a request'),
})

/** Holds what was written for good; `has` of a field that is missing on both sides is no change. */
const kept = (field: string) => ({
  rule: `!has(oldSelf.${field}) || (has(self.${field}) && self.${field} == oldSelf.${field})`,
  message: `${field} cannot be changed once it is there`,
})

/** Holds a list of wishes: entries may be added, those that are there stay. */
const grows = (field: string) => ({
  rule: `!has(oldSelf.${field}) || (has(self.${field}) && oldSelf.${field}.all(one, self.${field}.exists(other, other.requester == one.requester && other.idempotencyKey == one.idempotencyKey)))`,
  message: `${field} may only grow`,
})

/** What was asked and granted stays as it is, whoever edits the object; wishes that go along may be added. */
export const disruptionPermitSpec = disruptionPermitFields.meta({
  cel: [
    ...[
      'requester',
      'class',
      'verb',
      'purpose',
      'idempotencyKey',
      'targets',
      'workload',
      'change',
      'replicas',
      'members',
      'grant',
    ].map(kept),
    {
      rule: '!has(oldSelf.grant) || has(self.change) == has(oldSelf.change)',
      message: 'change cannot be added to what is granted',
    },
    grows('joined'),
  ],
})

export const disruptionPermitStatus = z
  .object({
    decision: z.enum(['Granted', 'Queued', 'Denied', 'NoOp', 'Coalesced', 'Observed']).exactOptional(),
    reason: z.string().max(4096).exactOptional(),
    wouldBe: wouldBe.exactOptional(),
    until: timestamp().exactOptional().describe('of a request that is queued: when it is looked at again'),
    releasedAt: timestamp().exactOptional(),
    ending: z.enum(endings).exactOptional(),
    landing: z.enum(landings).exactOptional(),
    coalescedInto: name().exactOptional(),
    members: z
      .array(memberEnd)
      .max(500)
      .exactOptional()
      .describe('of a shared permit: how its members ended, as far as they have'),
    dropped: z
      .array(dropped)
      .max(32)
      .exactOptional()
      .describe('of `joined`, whose change the server refused: not done, free to ask again'),
  })
  .meta({ cel: [kept('releasedAt'), kept('ending'), grows('dropped')] })
