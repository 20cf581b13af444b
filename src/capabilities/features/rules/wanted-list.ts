// The list by which workers know what rules look at: written by the controller, read by workers that publish no more than that. What is published says
// for which list it is, so that nobody takes what was left out for what is not there.

import { createHash } from 'node:crypto'
import * as z from 'zod'
import { messageOf } from '#kube/log.ts'
import type { Expression } from '../matching/expression.ts'
import { nodeDomain } from './node-own.ts'
import { type Looked, type References, sortedBy } from './references.ts'

/** Where the agents are. */
export const wantedConfigMap = 'ballast-features'
/** Its keys: the list, and in how many milliseconds workers follow it, each at a moment of its own. */
export const wantedKey = 'wanted'
export const spreadKey = 'spreadMs'

/** The list that stands for whatever there is. */
const everything = '*'
/** A list that would be longer stands for everything: then all is published. */
const longestListBytes = 65_536

/** Workers follow a new list within a millisecond a node, so that the API server gets no thousand objects at a time. */
const msPerNode = 1
const longestSpreadMs = 30_000

interface WantedList {
  readonly text: string
  /** What is published for it bears this; absent: everything is published. */
  readonly digest?: string
}

/** What workers are to publish so that `references` find all that they look at; features that workers do not know are left out. */
export function wantedList(references: References): WantedList {
  const asked = ofWorkers(references)
  if (asked === undefined) return { text: everything }
  const features = Object.fromEntries(
    sortedBy([...asked], ([feature]) => feature).map(([feature, { elements, names }]) => [
      feature,
      { elements: [...elements].sort(), names: sortedBy([...names], ([text]) => text).map(([, expression]) => expression) },
    ]),
  )
  const text = JSON.stringify(features)
  return Buffer.byteLength(text) > longestListBytes ? { text: everything } : { text, digest: digestOf(text) }
}

/** Without what the controller itself knows of each node. */
export function ofWorkers(references: References): References {
  return references === undefined ? undefined : new Map([...references].filter(([feature]) => !feature.startsWith(nodeDomain)))
}

const listSchema = z.record(
  z.string(),
  z.strictObject({
    elements: z.array(z.string()),
    names: z.array(z.object({ op: z.string(), value: z.array(z.string()).optional(), type: z.string().optional() })),
  }),
)

type ReadList =
  | { readonly ok: true; readonly references: References; readonly digest?: string }
  | { readonly ok: false; readonly why: string }

/** What a list says; one that cannot be read says why, and nothing may be left out for it. */
export function readWantedList(text: string): ReadList {
  if (text === everything) return { ok: true, references: undefined }
  if (Buffer.byteLength(text) > longestListBytes) return { ok: false, why: `it has more than ${longestListBytes} bytes` }
  try {
    const features = Object.entries(listSchema.parse(JSON.parse(text)))
    const references = new Map(
      features.map(([feature, { elements, names }]): [string, Looked] => [
        feature,
        { elements: new Set(elements), names: new Map(names.map(one => [JSON.stringify(one), expressionOf(one)])) },
      ]),
    )
    return { ok: true, references, digest: digestOf(text) }
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError) return { ok: false, why: messageOf(error) }
    throw error
  }
}

function expressionOf({ op, value, type }: z.output<typeof listSchema>[string]['names'][number]): Expression {
  return { op, ...(value === undefined ? {} : { value }), ...(type === undefined ? {} : { type }) }
}

/** In how many milliseconds workers of so many nodes follow. */
export function spreadOf(nodes: number): number {
  return Math.min(longestSpreadMs, nodes * msPerNode)
}

/** What a ConfigMap says of it; anything else is no time at all. */
export function readSpread(text: string | undefined): number {
  const ms = Number(text ?? '')
  return Number.isInteger(ms) && ms > 0 ? Math.min(longestSpreadMs, ms) : 0
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16)
}
