// Label and field selectors of lists and watches as one predicate.

import { type FieldTerm, parseFieldSelector, selectableFieldOf } from '#kube/objects/field-selector.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { everything, parseLabelSelector, type Selector } from '#kube/objects/selector.ts'
import { badRequest } from '#kube/objects/status.ts'
import { fieldsAt } from '../json-value.ts'
import { apiVersionOf, type ResourceType } from './resource-type.ts'

export interface Selection {
  matches(object: KubeObject): boolean
  /** Whether anything is left out: with selectors, lists do not say how many items remain. */
  readonly isAll: boolean
  /** The field whose value all selected objects have, where there is one: what to look them up by. */
  readonly pinned: { readonly field: string; readonly value: string } | undefined
}

/** @throws StatusError 400 for a selector that does not parse or names a field this kind cannot be selected by. */
export function selectionOf(type: ResourceType, labels: string, fields: string): Selection {
  const selector = labels === '' ? everything : labelSelector(labels)
  const terms = fieldTerms(type, fields)
  const pinned = terms.filter(({ operator }) => operator === '=')
  return {
    isAll: labels === '' && terms.length === 0,
    pinned: pinned.find(({ field }) => field === 'metadata.name') ?? pinned[0],
    matches: object =>
      terms.every(({ field, operator, value }) => (selectableFieldOf(object, field) === value) === (operator === '=')) &&
      (selector === everything ||
        selector.matches(fieldsAt(object, 'metadata', 'labels') === undefined ? {} : object.metadata.labels)),
  }
}

function labelSelector(text: string): Selector {
  const parsed = parseLabelSelector(text)
  if (!parsed.ok) throw badRequest(reasonOf(parsed.problem.expected))
  return parsed.value
}

/** The server's own words, which a problem has in brackets behind what was expected. */
function reasonOf(expected: string): string {
  return /\((.*)\)$/s.exec(expected)?.[1] ?? expected
}

const eventFields = (reference: string) =>
  ['kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'].map(field => `${reference}.${field}`)

/** Fields besides metadata.name and metadata.namespace by which objects can be selected. */
const selectableFields: Readonly<Record<string, readonly string[]>> = {
  pods: [
    'spec.nodeName',
    'spec.restartPolicy',
    'spec.schedulerName',
    'spec.serviceAccountName',
    'spec.hostNetwork',
    'status.phase',
    'status.podIP',
    'status.podIPs',
    'status.nominatedNodeName',
  ],
  nodes: ['spec.unschedulable'],
  namespaces: ['status.phase'],
  secrets: ['type'],
  services: ['spec.clusterIP', 'spec.type'],
  replicationcontrollers: ['status.replicas'],
  'jobs.batch': ['status.successful'],
  'certificatesigningrequests.certificates.k8s.io': ['spec.signerName'],
  'resourceslices.resource.k8s.io': ['spec.nodeName', 'spec.driver'],
  events: [
    ...eventFields('involvedObject'),
    ...eventFields('regarding'),
    'reason',
    'reportingComponent',
    'reportingController',
    'source',
    'type',
  ],
}

/** The terms of a field selector, with the names under which the fields are stored. */
function fieldTerms(type: ResourceType, text: string): readonly FieldTerm[] {
  const parsed = parseFieldSelector(text)
  if (!parsed.ok) throw badRequest(parsed.problem.message ?? parsed.problem.expected)
  return parsed.value.terms.map(term => ({
    ...term,
    field: storedField(type, term.field === 'spec.host' ? 'spec.nodeName' : term.field),
  }))
}

function storedField(type: ResourceType, field: string): string {
  const own = selectableFields[type.key]
  const known =
    field === 'metadata.name' || (field === 'metadata.namespace' && type.isNamespaced) || own?.includes(field) === true
  if (known || type.custom?.selectableFields.includes(`.${field}`) === true) {
    // Events are stored as the core kind has them.
    return type.key === 'events'
      ? field.replace(/^regarding\./, 'involvedObject.').replace('reportingController', 'reportingComponent')
      : field
  }
  if (type.key === 'jobs.batch') throw badRequest(`field label ${JSON.stringify(field)} not supported for Job`)
  if (type.key === 'resourceslices.resource.k8s.io')
    throw badRequest(`field label not supported for ${apiVersionOf(type)}, Kind=${type.kind}: ${field}`)
  if (own !== undefined || type.custom !== undefined) throw badRequest(`field label not supported: ${field}`)
  throw badRequest(`${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`)
}
