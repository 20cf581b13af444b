// What an installer asked for, as values: defaults, the configuration file's blocks, a values file, single keys.

import { parseDocument } from 'yaml'
import type { Capability } from '#coordination/capability.ts'
import { dashboardProblems } from '#dashboard/configuration.ts'
import { InputError, type Problem } from '#kube/problem.ts'
import { checkAgainst } from '#kube/schema/schema-problems.ts'
import { programVersion } from '#kube/version.ts'
import { readControllerConfiguration } from '#process/configuration/controller-configuration.ts'
import { installedBy } from './capability-objects.ts'
import type { Release, Values } from './names.ts'
import { grafanaOperator, prometheusOperator } from './objects/monitoring-objects.ts'
import { admissionPolicies } from './objects/own-node-policy.ts'
import { valuesSchema } from './values/values.ts'
import { defaultsOf, jsonSchemaOf } from './values/values-schema.ts'

interface SourceText {
  readonly file: string
  readonly text: string
}

export interface Asked {
  readonly configuration?: SourceText | undefined
  readonly values?: SourceText | undefined
  /** `controller.replicas=3`, as Helm's `--set`. */
  readonly set?: readonly string[]
  readonly enable?: readonly string[]
  readonly disable?: readonly string[]
  /** Laid over the defaults, under everything that was asked for. */
  readonly preset?: Values
}

type Fields = Readonly<Record<string, unknown>>

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value)

/** `over` laid over `under`: maps are joined, everything else is replaced, `null` takes away. As Helm does it. */
export function merged(under: Fields, over: Fields): Fields {
  const result: Record<string, unknown> = { ...under }
  for (const [key, value] of Object.entries(over)) {
    const before = result[key]
    if (value === null) delete result[key]
    else result[key] = isFields(before) && isFields(value) ? merged(before, value) : value
  }
  return result
}

/** The whole values. @throws InputError naming every key and value that is wrong, with the nearest that is right */
export function installationValues(asked: Asked, capabilities: readonly Capability[]): Values {
  const defaults = defaultsOf(jsonSchemaOf(capabilities))
  const layers = [
    asked.preset ?? {},
    asked.configuration === undefined ? {} : configurationBlocks(asked.configuration, capabilities),
    asked.values === undefined ? {} : mappingIn(asked.values),
    ...(asked.set ?? []).map(setting),
    ...switches(asked.enable ?? [], true),
    ...switches(asked.disable ?? [], false),
  ]
  const given = layers.reduce(merged, {})
  const checked = checkAgainst(valuesSchema(capabilities), given, asked.values?.file ?? 'values')
  if (!checked.ok) throw new InputError(checked.problems)
  const { dashboard } = checked.value
  const open = dashboard.enabled ? dashboardProblems(dashboard, `${asked.values?.file ?? 'values'}: dashboard`) : []
  if (open.length > 0) throw new InputError(open)
  const values = merged(defaults, given)
  const refused = installedBy(capabilities).flatMap(({ problems }) => problems?.(values, asked.values?.file ?? 'values') ?? [])
  if (refused.length > 0) throw new InputError(refused)
  return values
}

/** Who installs where, by `ballast manifests`: every kind that was asked for is taken as served. */
export function plainRelease(name: string, namespace: string): Release {
  return {
    name,
    namespace,
    service: 'ballast',
    version: programVersion,
    served: new Set([prometheusOperator, grafanaOperator, admissionPolicies]),
  }
}

function switches(names: readonly string[], isOn: boolean): readonly Fields[] {
  return names.map(name => ({ capabilities: { [name]: { enabled: isOn } } }))
}

/** The file is checked as a controller would check it; what it says is taken as it stands. */
function configurationBlocks(source: SourceText, capabilities: readonly Capability[]): Fields {
  const read = readControllerConfiguration({ ...source, overrides: [] }, capabilities)
  if (!read.ok) throw new InputError(read.problems)
  const { apiVersion: _version, kind: _kind, ...blocks } = mappingIn(source)
  return blocks
}

function mappingIn({ file, text }: SourceText): Fields {
  const document = parseDocument(text, { prettyErrors: false, uniqueKeys: true })
  const problems = document.errors.map(
    ({ message, pos }): Problem => ({
      code: 'values-yaml',
      where: `${file}:${text.slice(0, pos[0]).split('\n').length}`,
      found: message,
      expected: 'YAML',
    }),
  )
  if (problems.length > 0) throw new InputError(problems)
  const found: unknown = document.toJS({ maxAliasCount: 100 })
  if (found === null || found === undefined) return {}
  if (isFields(found)) return found
  throw new InputError([
    { code: 'values-yaml', where: file, found: JSON.stringify(found).slice(0, 80), expected: 'a map of keys' },
  ])
}

/** `a.b=c`: a number, true, false, null, `{a,b}` for a list, JSON, or text. `\.` is a dot of a key. */
function setting(text: string): Fields {
  const at = text.indexOf('=')
  const path = text.slice(0, Math.max(0, at)).split(/(?<!\\)\./)
  if (at <= 0 || path.includes(''))
    throw new InputError([
      { code: 'values-set', where: '--set', found: text, expected: 'KEY=VALUE, as in controller.replicas=3' },
    ])
  const value = settingValue(text.slice(at + 1))
  return path.map(key => key.replaceAll('\\.', '.')).reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as Fields
}

function settingValue(text: string): unknown {
  if (/^(true|false|null|-?(0|[1-9]\d{0,14}))$/.test(text)) return JSON.parse(text)
  const list = /^\{([^:"]*)\}$/s.exec(text)?.[1]
  if (list !== undefined) return list === '' ? [] : list.split(',').map(settingValue)
  if (!/^[[{"]/.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    // Text that only begins like JSON.
    return text
  }
}
