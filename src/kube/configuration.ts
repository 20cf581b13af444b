// The one configuration file of every process (`kind: BallastConfiguration`): reading it, and laying flags and environment over
// it. Which sections there are and what they hold is handed in; only `process` is known here. It is no object of the API server.

import { parseDocument } from 'yaml'
import { z } from 'zod'
import type { Problem } from './problem.ts'
import { duration } from './schema/crd-fields.ts'
import { checkAgainst } from './schema/schema-problems.ts'
import { durationOr0 } from './time/duration.ts'
import { nearestName } from './values/nearest-name.ts'

const configurationApiVersion = 'ballast.dev/v1alpha1'
const configurationKind = 'BallastConfiguration'

/** The section `process`: what all processes have in common. A key is here once something acts on it. */
export const processSchema = z
  .strictObject({
    logFormat: z.literal('json').default('json'),
    logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
    kubeApiQPS: z.number().min(-1).max(100_000).default(200),
    kubeApiBurst: z.int().min(1).max(100_000).default(500),
    leaderElectLeaseDuration: duration().default('15s'),
    leaderElectRenewDeadline: duration().default('10s'),
    leaderElectRetryPeriod: duration().default('2s'),
    watchList: z.enum(['auto', 'off']).default('auto'),
    listPageSize: z.int().min(1).max(10_000).default(500),
    healthProbeBindAddress: z.string().max(256).optional(),
    webhookPort: z.int().min(0).max(65_535).default(9_443),
    gracefulShutdownTimeout: duration().default('30s'),
    /** `warm`: a replica that does not lead watches all that a leader does, and takes over sooner. */
    standby: z.enum(['cold', 'warm']).default('cold'),
    /** Empty: the whole cluster. Else only these, watched one by one, and nothing that lies in no namespace. */
    watchNamespaces: z.array(z.string().min(1).max(63)).max(100).default([]),
  })
  .refine(given => durationOr0(given.leaderElectLeaseDuration) > durationOr0(given.leaderElectRenewDeadline), {
    path: ['leaderElectLeaseDuration'],
    error: 'not longer than leaderElectRenewDeadline',
  })
  .refine(given => durationOr0(given.leaderElectRenewDeadline) > 1.2 * durationOr0(given.leaderElectRetryPeriod), {
    path: ['leaderElectRenewDeadline'],
    error: 'not longer than 1.2 times leaderElectRetryPeriod',
  })
  .refine(given => durationOr0(given.leaderElectRetryPeriod) >= 1_000, {
    path: ['leaderElectRetryPeriod'],
    error: 'not at least 1s',
  })

export type ProcessConfiguration = z.output<typeof processSchema>

export interface ConfigurationSchemas<
  Sections extends Readonly<Record<string, z.ZodType>> = Readonly<Record<string, z.ZodType>>,
> {
  /** By section beside `process` and `capabilities`: `arbiter`, `planning`, `dashboard`. Each must accept `{}`. */
  readonly sections: Sections
  /** By capability: its own keys. `enabled`, `arbitration` and `guardLease`, which all have, may be among them with other defaults. */
  readonly capabilities: Readonly<Record<string, z.ZodObject>>
}

interface CapabilityConfiguration {
  readonly enabled: boolean
  readonly arbitration?: 'observe' | 'coordinate' | 'enforce' | undefined
  readonly guardLease: { readonly enabled: boolean; readonly namespace?: string | undefined }
  readonly [key: string]: unknown
}

export interface Configuration<Sections extends Readonly<Record<string, z.ZodType>> = Readonly<Record<string, z.ZodType>>> {
  readonly process: ProcessConfiguration
  readonly sections: { readonly [Name in keyof Sections]: z.output<Sections[Name]> }
  /** Configuration of every capability there is, those left out of the file too. */
  readonly capabilities: Readonly<Record<string, CapabilityConfiguration>>
}

type ReadConfiguration<Sections extends Readonly<Record<string, z.ZodType>>> =
  | { readonly ok: true; readonly configuration: Configuration<Sections> }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** One key given by a flag or the environment: it wins over the file. */
export interface Override {
  /** `['process', 'logLevel']`. */
  readonly path: readonly string[]
  readonly value: unknown
  /** How to name it in a problem: `--log-level`, `BALLAST_LOG_LEVEL`. */
  readonly where: string
}

const longestText = 1_048_576
const aliasesLimit = 100

/** What every section of a capability may say. */
export const capabilityCommon = {
  enabled: z.boolean().default(false),
  arbitration: z.enum(['observe', 'coordinate', 'enforce']).optional(),
  guardLease: z.strictObject({ enabled: z.boolean().default(true), namespace: z.string().max(63).optional() }).prefault({}),
}

/**
 * The configuration that `text` (YAML; empty: all defaults) says with `overrides` laid over it, or every problem found.
 * Later overrides win over earlier ones.
 */
export function readConfiguration<Sections extends Readonly<Record<string, z.ZodType>>>(
  source: { readonly file: string; readonly text: string; readonly overrides?: readonly Override[] },
  schemas: ConfigurationSchemas<Sections>,
): ReadConfiguration<Sections> {
  const { file } = source
  const read = readYaml(file, source.text)
  if (!read.ok) return read
  const overrides = source.overrides ?? []
  const given = overrides.reduce<Fields>((fields, { path, value }) => withValue(fields, path, value), read.fields)
  const problems: Problem[] = [...headProblems(file, read.fields), ...unknownSections(file, given, schemas)]
  const check = <T extends z.ZodType>(schema: T, path: readonly string[]): z.output<T> | undefined => {
    const checked = checkAgainst(schema, valueAt(given, path) ?? {}, `${file}: ${path.join('.')}`)
    if (checked.ok) return checked.value
    problems.push(...checked.problems.map(problem => namingOverride(problem, { file, overrides })))
    return undefined
  }
  const process = check(processSchema, ['process'])
  const sections = Object.fromEntries(Object.entries(schemas.sections).map(([name, schema]) => [name, check(schema, [name])]))
  const capabilities = Object.fromEntries(
    Object.entries(schemas.capabilities).flatMap(([name, schema]) => {
      const checked = check(withCommonKeys(schema), ['capabilities', name])
      // Whatever a capability says of the common keys, it keeps their types: `capabilitySchema` sees to it.
      return checked === undefined ? [] : [[name, checked as CapabilityConfiguration] as const]
    }),
  )
  if (problems.length > 0 || process === undefined) return { ok: false, problems }
  // Without problems each section is what its schema gave.
  return { ok: true, configuration: { process, sections: sections as Configuration<Sections>['sections'], capabilities } }
}

/** The schema with the keys that all capabilities have, where it has none of that name; its refinements hold on. */
function withCommonKeys(schema: z.ZodObject): z.ZodObject {
  const missing = Object.entries(capabilityCommon).filter(([key]) => !Object.hasOwn(schema.shape, key))
  return schema.safeExtend(Object.fromEntries(missing)).strict()
}

type Fields = Readonly<Record<string, unknown>>
type ReadFields = { readonly ok: true; readonly fields: Fields } | { readonly ok: false; readonly problems: readonly Problem[] }

/** The fields of the file, or why it cannot be read as YAML at all. */
function readYaml(file: string, text: string): ReadFields {
  const refused = (where: string, found: string, expected: string): ReadFields => ({
    ok: false,
    problems: [{ code: 'configuration-yaml', where, found, expected }],
  })
  if (text.length > longestText) return refused(file, `${text.length} characters`, `at most ${longestText} characters`)
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: true })
  if (document.errors.length > 0) {
    const problems = document.errors.map(error => {
      const line = text.slice(0, error.pos[0]).split('\n').length
      return { code: 'configuration-yaml', where: `${file}:${line}`, found: error.message, expected: 'YAML' }
    })
    return { ok: false, problems }
  }
  try {
    const content: unknown = document.toJS({ maxAliasCount: aliasesLimit })
    if (content === null || content === undefined) return { ok: true, fields: {} }
    if (isFields(content)) return { ok: true, fields: content }
    return refused(file, JSON.stringify(content), `an object of kind ${configurationKind}`)
  } catch (error) {
    // Thrown for aliases that multiply, and for those of anchors that are not there.
    if (error instanceof ReferenceError) return refused(file, error.message, 'YAML with few aliases')
    throw error
  }
}

/** An empty file needs no head. */
function headProblems(file: string, fields: Fields): readonly Problem[] {
  if (Object.keys(fields).length === 0) return []
  const expected = { apiVersion: configurationApiVersion, kind: configurationKind }
  return Object.entries(expected)
    .filter(([key, value]) => fields[key] !== value)
    .map(([key, value]) => ({
      code: 'configuration-kind',
      where: `${file}: ${key}`,
      found: textOf(fields[key]),
      expected: JSON.stringify(value),
    }))
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing')
}

function unknownSections(file: string, fields: Fields, schemas: ConfigurationSchemas): readonly Problem[] {
  const sections = ['apiVersion', 'kind', 'process', 'capabilities', ...Object.keys(schemas.sections)]
  const capabilities = Object.keys(schemas.capabilities)
  const given = fields['capabilities']
  if (given !== undefined && given !== null && !isFields(given)) {
    return [{ code: 'wrong-type', where: `${file}: capabilities`, found: JSON.stringify(given), expected: 'an object' }]
  }
  return [
    ...unknownKeys(Object.keys(fields), sections, file),
    ...unknownKeys(Object.keys(given ?? {}), capabilities, `${file}: capabilities`),
  ]
}

function unknownKeys(keys: readonly string[], known: readonly string[], where: string): readonly Problem[] {
  return keys
    .filter(key => !known.includes(key))
    .map(key => {
      const meant = nearestName(key, known)
      const expected = meant === undefined ? `one of ${known.join(', ')}` : `a known key; did you mean ${JSON.stringify(meant)}?`
      return { code: 'unknown-key', where, found: key, expected }
    })
}

/** What a flag or the environment got wrong is told of that, not of the file. */
function namingOverride(
  problem: Problem,
  { file, overrides }: { readonly file: string; readonly overrides: readonly Override[] },
): Problem {
  const path = problem.where.slice(file.length + 2).replace(': ', '.')
  const isOf = (key: string) => path === key || path.startsWith(`${key}.`) || path.startsWith(`${key}[`)
  const override = overrides.findLast(candidate => isOf(candidate.path.join('.')))
  return override === undefined ? problem : { ...problem, where: override.where }
}

function withValue(fields: Fields, path: readonly string[], value: unknown): Fields {
  const [key, ...rest] = path
  if (key === undefined) return fields
  const inner = Object.hasOwn(fields, key) ? fields[key] : undefined
  return { ...fields, [key]: rest.length === 0 ? value : withValue(isFields(inner) ? inner : {}, rest, value) }
}

function valueAt(fields: Fields, path: readonly string[]): unknown {
  return path.reduce<unknown>((inner, key) => (isFields(inner) && Object.hasOwn(inner, key) ? inner[key] : undefined), fields)
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
