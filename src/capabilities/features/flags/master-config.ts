// The file nfd-master.conf: the same keys and defaults, in any case as Go has it, over it what `-options` says.

import * as z from 'zod'
import { parsePattern } from '#kube/values/regex.ts'
import { restrictions } from '../config.ts'
import { goDuration, isMapping, readConfigurationText, withoutNulls } from '../configuration-text.ts'

/** Where a master looks for it. */
export const masterConfigPath = '/etc/kubernetes/node-feature-discovery/nfd-master.conf'

const namespaces = z.array(z.string()).default([])

const schema = z.strictObject({
  noPublish: z.boolean().default(false),
  denyLabelNs: namespaces,
  extraLabelNs: namespaces,
  labelWhiteList: z
    .string()
    .refine(text => parsePattern(text).ok, 'not a regular expression')
    .default(''),
  enableTaints: z.boolean().default(false),
  resyncPeriod: goDuration.default('1h'),
  nfdApiParallelism: z.int().min(1).default(10),
  informerPageSize: z.int().min(0).default(200),
  leaderElection: z
    .strictObject({
      leaseDuration: goDuration.default('15s'),
      renewDeadline: goDuration.default('10s'),
      retryPeriod: goDuration.default('2s'),
    })
    .prefault({}),
  restrictions,
  klog: z.record(z.string(), z.unknown()).default({}),
})

export type MasterFile = z.output<typeof schema>

/** Lists of which both are meant where the file and `-options` have one: upstream puts them into one set. */
const joined = ['denyLabelNs', 'extraLabelNs']

/**
 * What the file says, `-options` over it.
 *
 * @throws InputError with every problem
 */
export function readMasterConfig(
  text: string,
  path: string,
  around: Pick<Parameters<typeof readConfigurationText>[2], 'overlay' | 'tell'>,
): MasterFile {
  const options = {
    ...around,
    expected: 'YAML with keys such as extraLabelNs',
    prepared: (content: unknown) => spelled(withoutNulls(content), schema),
    both: ([key = '']: readonly string[], below: readonly unknown[], above: readonly unknown[]) =>
      joined.includes(key) ? [...new Set([...below, ...above])] : above,
  }
  return readConfigurationText(schema, { text, path }, options)
}

/** Keys as the schema spells them: to Go `labelwhitelist` is `labelWhiteList`. */
function spelled(content: unknown, of: z.ZodType): unknown {
  const shape = shapeOf(of)
  if (!isMapping(content) || shape === undefined) return content
  const known = new Map(Object.keys(shape).map(key => [key.toLowerCase(), key]))
  const exact = new Set(Object.keys(content))
  return Object.fromEntries(
    Object.entries(content).map(([key, value]) => {
      const meant = known.get(key.toLowerCase()) ?? key
      // A key that is there as it should be is not overwritten by one that only sounds so.
      const name = meant === key || exact.has(meant) ? key : meant
      const inner = Object.hasOwn(shape, name) ? shape[name] : undefined
      return [name, inner === undefined ? value : spelled(value, inner)]
    }),
  )
}

/** The fields of an object's schema, whatever is wrapped around it. */
function shapeOf(schema: z.ZodType): Readonly<Record<string, z.ZodType>> | undefined {
  if (schema instanceof z.ZodObject) return schema.shape
  if (schema instanceof z.ZodPrefault || schema instanceof z.ZodDefault || schema instanceof z.ZodOptional) {
    const inner = schema.unwrap()
    return inner instanceof z.ZodType ? shapeOf(inner) : undefined
  }
  return undefined
}
