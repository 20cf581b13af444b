// Configuration files of node-feature-discovery's programs: YAML or JSON, over it what `-options` says, and keys that nobody knows told and passed over.

import { parseDocument } from 'yaml'
import * as z from 'zod'
import { messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { formatDuration, parseDuration } from '#kube/time/duration.ts'

/** A duration, or nanoseconds as a number. */
export const goDuration = z
  .union([z.string(), z.int().transform(nanos => formatDuration(BigInt(nanos)))])
  .refine(text => parseDuration(text).ok, 'not a duration such as "60s"')

/** A text, and what it is called where something is wrong with it. */
interface ConfigText {
  readonly text: string
  readonly path: string
}

interface ReadOptions {
  /** Counts before the file, key by key. */
  readonly overlay?: ConfigText | undefined
  /** Hears of each key that has no effect. */
  readonly tell: (warning: string) => void
  /** What the content is to be, for messages. */
  readonly expected: string
  /** Makes of what was written what the schema takes; by default nulls are left out. */
  readonly prepared?: (content: unknown) => unknown
  /** A list that both say, as it counts; by default that of the overlay. */
  readonly both?: (path: readonly string[], below: readonly unknown[], above: readonly unknown[]) => readonly unknown[]
}

/**
 * What `file` says by `schema`. Files of upstream may have keys that nobody knows: they count for nothing, as upstream has it.
 *
 * @throws InputError with every problem
 */
export function readConfigurationText<Schema extends z.ZodType>(
  schema: Schema,
  file: ConfigText,
  { overlay, tell, expected, prepared = withoutNulls, both = (_path, _below, above) => above }: ReadOptions,
): z.output<Schema> {
  const below = prepared(contentOf(file, expected) ?? {})
  const content = overlay === undefined ? below : laidOver(below, prepared(contentOf(overlay, expected) ?? {}), both)
  const where = overlay === undefined ? file.path : `${file.path} and ${overlay.path}`
  const known = withoutUnknown(schema, content, key => tell(`${where}: ${key} is no key of the configuration, and has no effect`))
  const read = checkAgainst(schema, known, where)
  if (!read.ok) throw new InputError(read.problems)
  return read.value
}

/** Charts write `core:` with nothing below it, which means nothing. What lies below `except` stays as it is. */
export function withoutNulls(value: unknown, except: readonly string[] = []): unknown {
  if (!isMapping(value)) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, one]) => one !== null)
      .map(([key, one]) => [key, except.includes(key) ? one : withoutNulls(one, except)]),
  )
}

export function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Without the keys of mappings that the schema does not know. */
function withoutUnknown(schema: z.ZodType, content: unknown, tell: (key: string) => void): unknown {
  const parsed = schema.safeParse(content)
  const unknown = (parsed.error?.issues ?? []).flatMap(issue =>
    issue.code === 'unrecognized_keys' ? issue.keys.map(key => [...issue.path.map(String), key]) : [],
  )
  for (const path of unknown) tell(path.join('.'))
  return unknown.reduce(withoutPath, content)
}

function withoutPath(content: unknown, [key = '', ...rest]: readonly string[]): unknown {
  if (!isMapping(content)) return content
  const { [key]: inner, ...others } = content
  return rest.length === 0 ? others : { ...others, [key]: withoutPath(inner, rest) }
}

function contentOf({ text, path }: ConfigText, expected: string): unknown {
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: true })
  const wrong = (found: string) => new InputError([{ code: 'configuration-yaml', where: path, found, expected }])
  if (document.errors[0] !== undefined) throw wrong(document.errors[0].message)
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw wrong(messageOf(error))
  }
}

/** Mappings are laid over each other, anything else takes the place of what was there. */
function laidOver(below: unknown, above: unknown, both: NonNullable<ReadOptions['both']>, path: readonly string[] = []): unknown {
  if (Array.isArray(below) && Array.isArray(above)) return both(path, below, above)
  if (!isMapping(below) || !isMapping(above)) return above ?? below
  const keys = new Set([...Object.keys(below), ...Object.keys(above)])
  return Object.fromEntries(
    [...keys].map(key => [key, key in above ? laidOver(below[key], above[key], both, [...path, key]) : below[key]]),
  )
}
