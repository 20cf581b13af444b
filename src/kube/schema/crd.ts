// CustomResourceDefinitions from zod schemas: one source for the API server's checks, ours at run time, and the docs.

import { z } from 'zod'
import type { CelRule } from './crd-fields.ts'
import { type StructuralSchema, structural } from './structural-schema.ts'

interface PrinterColumn {
  readonly name: string
  readonly type: 'integer' | 'number' | 'string' | 'boolean' | 'date'
  readonly jsonPath: string
  readonly description?: string
  readonly format?: string
  readonly priority?: number
}

interface ScalePaths {
  readonly specReplicasPath: string
  readonly statusReplicasPath: string
  readonly labelSelectorPath?: string
}

interface CrdVersion {
  readonly name: string
  readonly spec: z.ZodType
  readonly status?: z.ZodType
  /** True unless said otherwise, both. */
  readonly served?: boolean
  readonly storage?: boolean
  /** Shown before `Ready` and `Age`. */
  readonly printerColumns?: readonly PrinterColumn[]
  /** False for kinds without a condition of type Ready: the column would always be empty. True unless said otherwise. */
  readonly readyColumn?: boolean
  /** False where another's definition of the kind has none. True unless said otherwise. */
  readonly ageColumn?: boolean
  readonly scale?: ScalePaths
  /** Paths such as `.spec.mode` that lists and watches can select by. */
  readonly selectableFields?: readonly string[]
  readonly description?: string
  /** Rules on the object as a whole: a transition of `spec` or `status` is not judged where one side lacks it. */
  readonly cel?: readonly CelRule[]
}

interface CrdDefinition {
  readonly group: string
  readonly kind: string
  /** Plural of the kind in lower case; made by English rule unless given. */
  readonly plural?: string
  readonly versions: readonly CrdVersion[]
  readonly scope: 'Namespaced' | 'Cluster'
  readonly shortNames?: readonly string[]
  readonly categories?: readonly string[]
  readonly labels?: Readonly<Record<string, string>>
  /** False for kinds of others: texts, lists and maps are as long as their own definition lets them be, not only as long as ours may. */
  readonly isBounded?: boolean
}

interface CustomResourceDefinition {
  readonly apiVersion: 'apiextensions.k8s.io/v1'
  readonly kind: 'CustomResourceDefinition'
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> }
  readonly spec: {
    readonly group: string
    readonly names: {
      readonly kind: string
      readonly listKind: string
      readonly plural: string
      readonly singular: string
      readonly shortNames?: readonly string[]
      readonly categories?: readonly string[]
    }
    readonly scope: 'Namespaced' | 'Cluster'
    readonly versions: readonly {
      readonly name: string
      readonly served: boolean
      readonly storage: boolean
      readonly schema: { readonly openAPIV3Schema: StructuralSchema }
      readonly subresources: { readonly status: Readonly<Record<string, never>>; readonly scale?: ScalePaths }
      readonly additionalPrinterColumns: readonly PrinterColumn[]
      readonly selectableFields?: readonly { readonly jsonPath: string }[]
    }[]
  }
}

const readyColumn: PrinterColumn = { name: 'Ready', type: 'string', jsonPath: '.status.conditions[?(@.type=="Ready")].status' }
const ageColumn: PrinterColumn = { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' }

/** The CRD of a kind of ours. @throws Error with the path where a schema says what CRDs cannot, or not just one version is stored. */
export function crd(definition: CrdDefinition): CustomResourceDefinition {
  const { group, kind, scope } = definition
  const singular = kind.toLowerCase()
  const plural = definition.plural ?? pluralOf(singular)
  const stored = definition.versions.filter(version => version.storage !== false)
  if (stored.length !== 1) throw new Error(`CRD of ${kind}: ${stored.length} versions are stored, one must be`)
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${group}`, ...(definition.labels === undefined ? {} : { labels: definition.labels }) },
    spec: {
      group,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular,
        ...(definition.shortNames === undefined ? {} : { shortNames: definition.shortNames }),
        ...(definition.categories === undefined ? {} : { categories: definition.categories }),
      },
      scope,
      versions: definition.versions.map(version => ({
        name: version.name,
        served: version.served ?? true,
        storage: version.storage ?? true,
        schema: {
          openAPIV3Schema: definition.isBounded === false ? withoutBounds(rootSchema(version, kind)) : rootSchema(version, kind),
        },
        subresources: { status: {}, ...(version.scale === undefined ? {} : { scale: version.scale }) },
        additionalPrinterColumns: [
          ...(version.printerColumns ?? []),
          ...(version.readyColumn === false ? [] : [readyColumn]),
          ...(version.ageColumn === false ? [] : [ageColumn]),
        ],
        ...(version.selectableFields === undefined
          ? {}
          : { selectableFields: version.selectableFields.map(jsonPath => ({ jsonPath })) }),
      })),
    },
  }
}

function withoutBounds(schema: StructuralSchema): StructuralSchema {
  const { maxLength: _length, maxItems: _items, maxProperties: _properties, ...rest } = schema
  const { properties, items, additionalProperties } = rest
  return {
    ...rest,
    ...(properties === undefined
      ? {}
      : { properties: Object.fromEntries(Object.entries(properties).map(([name, one]) => [name, withoutBounds(one)])) }),
    ...(items === undefined ? {} : { items: withoutBounds(items) }),
    ...(additionalProperties === undefined ? {} : { additionalProperties: withoutBounds(additionalProperties) }),
  }
}

function rootSchema(version: CrdVersion, kind: string): StructuralSchema {
  const status =
    version.status === undefined ? {} : { status: structuralSchemaOf(version.status, `${kind} ${version.name} status`) }
  return {
    type: 'object',
    ...(version.description === undefined ? {} : { description: version.description }),
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: structuralSchemaOf(version.spec, `${kind} ${version.name} spec`),
      ...status,
    },
    required: ['spec'],
    ...(version.cel === undefined ? {} : { 'x-kubernetes-validations': version.cel }),
  }
}

/** The structural schema of what `schema` accepts. @throws Error with the path of what cannot be said. */
export function structuralSchemaOf(schema: z.ZodType, path: string): StructuralSchema {
  const json = z.toJSONSchema(schema, {
    target: 'openapi-3.0',
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      const definition = zodSchema._zod.def
      if (definition.type === 'bigint') Object.assign(jsonSchema, { type: 'integer', format: 'int64' })
      if ('format' in definition && definition.format === 'int32') jsonSchema.format = 'int32'
    },
  })
  return structural(json, path)
}

function pluralOf(singular: string): string {
  if (/[^aeiou]y$/.test(singular)) return `${singular.slice(0, -1)}ies`
  return /(?:s|x|z|ch|sh)$/.test(singular) ? `${singular}es` : `${singular}s`
}
