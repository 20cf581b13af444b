// The section `capabilities.readiness` of the configuration: rules of ours, Nidhogg's file as it is, and how nodes are asked.

import { createHash } from 'node:crypto'
import * as z from 'zod'
import { arbitrationModes } from '#coordination/policy/arbiter-policy.ts'
import { parseLabelSelector } from '#kube/objects/selector.ts'
import { durationBetween } from '#kube/schema/crd-fields.ts'
import { labelSelectorSchema } from '#kube/schema/label-selector.ts'
import { mirrorReadyCondition, ownTaintKeys } from './names.ts'

const mostRules = 64
const mostRequirements = 32
const mostListed = 256
const longestText = 2_048
const shortestMs = 1_000
const longestMs = 7 * 86_400_000

/** Also the value of a taint. */
const ruleName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const objectName = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/
const namespaceName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const conditionType = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/

/** Stands for the node's own address in URLs; IPv6 comes in brackets. */
export const nodeAddressMark = 'NODE_IP'

function span(standard: string, meaning: string) {
  return spanText().default(standard).describe(meaning)
}

function spanText() {
  return durationBetween(shortestMs, longestMs)
}

const webAddress = z
  .string()
  .max(longestText)
  .refine(text => {
    const url = URL.parse(text.replaceAll(nodeAddressMark, '192.0.2.1'))
    return url !== null && /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
  }, 'not an http or https URL without a user, such as "http://NODE_IP:8080/readyz"')

const requirement = z.union(
  [
    z.strictObject({
      daemonSet: z
        .string()
        .regex(/^[^/]+\/[^/]+$/, 'not NAMESPACE/NAME of a DaemonSet')
        .refine(text => {
          const [namespace = '', name = ''] = text.split('/')
          return namespaceName.test(namespace) && objectName.test(name)
        }, 'not NAMESPACE/NAME of a DaemonSet'),
    }),
    z.strictObject({
      condition: z.string().refine(text => {
        const [type = '', status = '', ...more] = text.split('=')
        return more.length === 0 && conditionType.test(type) && ['True', 'False', 'Unknown'].includes(status)
      }, 'not TYPE=STATUS with a status of True, False or Unknown'),
    }),
    z.strictObject({ http: webAddress }),
  ],
  'not one of {daemonSet: NAMESPACE/NAME}, {condition: TYPE=STATUS}, {http: URL}',
)

const ruleSchema = z.strictObject({
  name: z.string().regex(ruleName, 'not a name of lower-case letters, digits and dashes, at most 63 characters'),
  nodeSelector: labelSelectorSchema.prefault({}).describe('labels of the nodes it is for; empty: all'),
  require: z.array(requirement).min(1).max(mostRequirements).describe('what has to hold on the node'),
  mode: z
    .enum(['bootstrap', 'continuous'])
    .default('bootstrap')
    .describe('hold new nodes once, or hold a node again whenever it does not hold for 30 s'),
  timeout: spanText().optional().describe('instead of the one for all rules'),
  onTimeout: z.enum(['hold', 'release']).optional().describe('instead of the one for all rules'),
})

const nidhogg = z.strictObject({
  nodeSelector: z
    .union([z.string().max(longestText), z.array(z.string().max(longestText)).max(mostListed)])
    .default([])
    .transform(text => [text].flat())
    .superRefine((texts, context) => {
      for (const text of texts) {
        const parsed = parseLabelSelector(text)
        if (!parsed.ok) context.addIssue({ code: 'custom', message: `${text}: not ${parsed.problem.expected}` })
      }
    })
    .describe('selectors as text, all of which must hold'),
  daemonsets: z
    .array(
      z.strictObject({
        name: z.string().regex(objectName, 'not the name of a DaemonSet'),
        namespace: z.string().regex(namespaceName, 'not the name of a namespace'),
      }),
    )
    .max(mostRules),
})

export const readinessConfiguration = z
  .object({
    arbitration: z.enum(arbitrationModes).default('observe').describe('which rules of the arbiter hold for taints of nodes'),
    rules: z.array(ruleSchema).max(mostRules).default([]).describe('which nodes wait for what'),
    timeout: span('10m', "how long after a node's creation its rules may take"),
    onTimeout: z
      .enum(['hold', 'release'])
      .default('release')
      .describe('then: take the taint off with a warning, or hold on and say so'),
    admission: z.boolean().default(true).describe('put the taint on nodes while they are created, by a webhook'),
    taintKey: z
      .enum(ownTaintKeys)
      .default(ownTaintKeys[0])
      .describe('key of our taint; an autoscaler knows the others as start-up taints'),
    baseImages: z
      .array(z.string().min(1).max(longestText))
      .max(mostListed)
      .default([])
      .describe('images with a shell that nodes have, by which files are written to them; tried before those that are known'),
    configureNodes: z
      .boolean()
      .default(false)
      .describe("write the mirror's files to nodes by a pod of an image that is there (nodeConfiguration.mode: operator)"),
    nidhogg: nidhogg.optional().describe("Nidhogg's file as it is"),
    agent: z
      .strictObject({
        mirror: webAddress
          .or(z.literal(''))
          .default('http://NODE_IP:29997/readyz')
          .describe(`where ${mirrorReadyCondition} is asked on each node; empty: it is not`),
        conditionType: z
          .string()
          .regex(conditionType, 'not the type of a condition')
          .default(mirrorReadyCondition)
          .describe('the condition that says so'),
        interval: span('10s', 'between two questions'),
        heartbeat: span('5m', 'an unchanged condition is written again; one that misses two of them counts as Unknown'),
        release: z.boolean().default(true).describe('an agent takes our taint off its own node where no controller does in time'),
        releaseMargin: span('5m', 'how long after the time of its rules it does'),
        impersonateNode: z.boolean().default(false).describe('write conditions as the user system:node:NAME'),
      })
      .prefault({}),
  })
  .superRefine(({ rules }, context) => {
    const seen = new Set<string>()
    for (const [at, { name }] of rules.entries()) {
      if (seen.has(name))
        context.addIssue({
          code: 'custom',
          path: ['rules', at, 'name'],
          message: `not a name of its own: another rule is ${name}`,
        })
      seen.add(name)
    }
  })

export type ReadinessConfig = z.output<typeof readinessConfiguration>
export type NidhoggConfig = NonNullable<ReadinessConfig['nidhogg']>

/** The conditions that agents write, whatever their nodes: an agent that vanished writes none of them again. */
export function agentConditions({ agent, rules }: Pick<ReadinessConfig, 'agent' | 'rules'>): readonly string[] {
  const asked = rules.flatMap(({ require }) => require.flatMap(one => ('http' in one ? [httpConditionOf(one.http)] : [])))
  return [...new Set([...(agent.mirror === '' ? [] : [agent.conditionType]), ...asked])]
}

/** The node condition by which a node's agent answers for `url`. */
export function httpConditionOf(url: string): string {
  return `ballast.dev/Http-${createHash('sha256').update(url).digest('hex').slice(0, 12)}`
}
