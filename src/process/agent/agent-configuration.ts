// The configuration as an agent reads it: `process` and the sections of its own roles. What is of others' business is not looked at, so that
// an agent carries none of their code.
import { readFileSync } from 'node:fs'
import { parseDocument } from 'yaml'
import * as z from 'zod'
import { type ProcessConfiguration, readConfiguration } from '#kube/configuration.ts'
import { messageOf } from '#kube/log.ts'
import { InputError } from '#kube/problem.ts'

interface AgentConfiguration {
  readonly process: ProcessConfiguration
  /** By name of capability: its own keys, checked. */
  readonly sections: Readonly<Record<string, unknown>>
}

/** @throws InputError with every problem of the file */
export function readAgentConfiguration(
  path: string | undefined,
  schemas: Readonly<Record<string, z.ZodObject>>,
): AgentConfiguration {
  const file = path ?? 'configuration'
  const text = path === undefined ? '' : ownPart(path, textOf(path), Object.keys(schemas))
  const read = readConfiguration({ file, text }, { sections: {}, capabilities: withEnabled(schemas) })
  if (!read.ok) throw new InputError(read.problems)
  const { process, capabilities } = read.configuration
  const sections = Object.entries(capabilities).map(([name, section]) => {
    const keys = Object.keys(schemas[name]?.shape ?? {})
    return [name, Object.fromEntries(Object.entries(section).filter(([key]) => keys.includes(key)))] as const
  })
  return { process, sections: Object.fromEntries(sections) }
}

/** Whether a capability is enabled is the controller's business: who starts an agent wants it. */
function withEnabled(schemas: Readonly<Record<string, z.ZodObject>>): Readonly<Record<string, z.ZodObject>> {
  return Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, schema.safeExtend({ enabled: z.boolean().default(true) })]),
  )
}

/** The text with the sections of others left out. What cannot be read is left as it is: that is told by whoever reads it next. */
function ownPart(path: string, text: string, names: readonly string[]): string {
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: true })
  if (document.errors.length > 0) return text
  let content: unknown
  try {
    content = document.toJS({ maxAliasCount: 100 })
  } catch (error) {
    throw new InputError([
      { code: 'configuration-yaml', where: path, found: messageOf(error), expected: 'YAML with few aliases' },
    ])
  }
  if (!isFields(content)) return text
  const { apiVersion, kind, process, capabilities } = content
  const own = isFields(capabilities) ? Object.entries(capabilities).filter(([name]) => names.includes(name)) : []
  return JSON.stringify({
    apiVersion,
    kind,
    ...(process === undefined ? {} : { process }),
    capabilities: Object.fromEntries(own),
  })
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws InputError where it cannot be read */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    throw new InputError([{ code: 'file-unreadable', where: path, found: messageOf(error), expected: 'a file that can be read' }])
  }
}
