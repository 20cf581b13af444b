// The configuration of a worker, as nfd-worker.conf has it: the same keys, the same defaults.

import * as z from 'zod'
import { parsePattern } from '#kube/values/regex.ts'
import { goDuration, readConfigurationText, withoutNulls } from '../configuration-text.ts'
import { workerRulesSchema } from './worker-rules.ts'

/** Where a worker looks for it, below the root. */
export const workerConfigPath = 'etc/kubernetes/node-feature-discovery/nfd-worker.conf'

const strings = z.array(z.string())

/** Whom a NodeFeature may belong to. */
export const owners = ['node', 'pod', 'ds'] as const

const core = z.strictObject({
  sleepInterval: goDuration.default('60s').describe('between two looks; 0s: one look, and then only when something changes'),
  featureSources: strings.default(['all']).describe('sources that look; `-name` leaves one out'),
  labelSources: strings.default(['all']).describe('sources that give labels'),
  sources: strings.optional().describe('an old name of labelSources, which wins'),
  labelWhiteList: z
    .string()
    .refine(text => parsePattern(text).ok, 'not a regular expression')
    .default('')
    .describe('what the name of a label must contain'),
  noPublish: z.boolean().default(false),
  publish: z
    .enum(['full', 'referenced'])
    .default('full')
    .describe(
      'referenced: of what was found only what rules and groups look at, as the controller tells; everything while nobody tells',
    ),
  noOwnerRefs: z.boolean().default(false),
  ownerRefs: z
    .array(z.enum(owners))
    .refine(list => new Set(list).size === list.length, 'an owner is named twice')
    .default(['pod', 'ds']),
  noPublishFeatures: strings.default([]).describe('features that are looked for and not published: `pci.device`, `kernel.*`'),
  hotplug: z
    .enum(['on', 'off'])
    .default('on')
    .describe(
      'devices, modules and interfaces that come or go are looked for every 5 s, whatever sleepInterval is; upstream does not',
    ),
  klog: z.record(z.string(), z.unknown()).optional().describe('accepted, and without effect: logs follow `process.logLevel`'),
})

const withoutLabel = [
  ...['AVX10', 'BMI1', 'BMI2', 'CLMUL', 'CMOV', 'CX16', 'ERMS', 'F16C', 'HTT', 'LZCNT', 'MMX', 'MMXEXT', 'NX', 'POPCNT'],
  ...['RDRAND', 'RDSEED', 'RDTSCP', 'SGX', 'SGXLC', 'SSE', 'SSE2', 'SSE3', 'SSE4', 'SSE42', 'SSSE3', 'TDX_GUEST'],
]

const names = z.record(z.string(), z.string())

/** All keys of an object, filled in where they are left out. */
function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape).prefault({} as never)
}

const fakeLabels = { fakefeature1: 'true', fakefeature2: 'true', fakefeature3: 'true' }
const fakeAttributes = { attr_1: 'true', attr_2: 'false', attr_3: '10' }
const fakeInstances: Readonly<Record<string, string>>[] = [
  { name: 'instance_1', attr_1: 'true', attr_2: 'false', attr_3: '10', attr_4: 'foobar' },
  { name: 'instance_2', attr_1: 'true', attr_2: 'true', attr_3: '100' },
  { name: 'instance_3' },
]

/** Values that are given come over those that are there, as upstream has it with what it makes up. */
function over(standard: Readonly<Record<string, string>>) {
  return names.default({}).transform(given => ({ ...standard, ...given }))
}

const sources = z.strictObject({
  cpu: section({
    cpuid: section({ attributeBlacklist: strings.default(withoutLabel), attributeWhitelist: strings.default([]) }),
  }),
  kernel: section({
    kconfigFile: z.string().default(''),
    configOpts: strings.default(['NO_HZ', 'NO_HZ_IDLE', 'NO_HZ_FULL', 'PREEMPT']),
  }),
  pci: section({
    deviceClassWhitelist: strings.default(['03', '0b40', '12']),
    deviceLabelFields: strings.default(['class', 'vendor']),
  }),
  usb: section({
    deviceClassWhitelist: strings.default(['0e', 'ef', 'fe', 'ff']),
    deviceLabelFields: strings.default(['class', 'vendor', 'device']),
  }),
  custom: workerRulesSchema.default([]),
  local: z.looseObject({}).optional(),
  fake: section({
    labels: over(fakeLabels),
    flagFeatures: strings.default(['flag_1', 'flag_2', 'flag_3']),
    attributeFeatures: over(fakeAttributes),
    instanceFeatures: z
      .array(names)
      .default(fakeInstances)
      .transform(given => given.map((one, at) => ({ ...fakeInstances[at], ...one }))),
  }),
})

export const workerConfigSchema = z.strictObject({ core: core.prefault({}), sources: sources.prefault({}) })

export type WorkerConfig = z.output<typeof workerConfigSchema>

/**
 * The configuration of a file; what `overlay` says counts before it, key by key. Files of upstream may have keys that nobody knows: `tell` hears of
 * each, and it counts for nothing, as upstream has it.
 *
 * @throws InputError with every problem
 */
export function readWorkerConfig(
  text: string,
  path: string,
  around: Pick<Parameters<typeof readConfigurationText>[2], 'overlay' | 'tell'>,
): WorkerConfig {
  const options = {
    ...around,
    expected: 'YAML with the keys core and sources',
    // Rules and made-up features say something by a null.
    prepared: (content: unknown) => withoutNulls(content, ['custom', 'fake']),
  }
  return readConfigurationText(workerConfigSchema, { text, path }, options)
}
