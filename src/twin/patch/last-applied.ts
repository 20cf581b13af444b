// The annotation of client-side apply, which kubectl takes with it when it moves an object to server-side apply.
import type { ResourceType } from '../api/resource-type.ts'
import { type Draft, fieldsAt, isFields, jsonText, jsonTree, setAt, textAt } from '../json-value.ts'
import { kindSchema } from '../schema/kind-schema.ts'
import { type FieldSet, fieldsOfObject } from './field-set.ts'

const annotation = 'kubectl.kubernetes.io/last-applied-configuration'
/** Only this manager moves objects; to keep out of it a user names another. */
const movingManager = 'kubectl'
/** A longer annotation is left out. */
const longestBytes = 262_144

/** The fields that kubectl applied before on its own side: a conflict about one of them is none for kubectl. */
export function lastAppliedFields(type: ResourceType, live: Draft, manager: string): FieldSet | undefined {
  if (manager !== movingManager) return undefined
  const text = textAt(live, 'metadata', 'annotations', annotation) ?? ''
  if (text === '') return undefined
  try {
    const configuration: unknown = jsonTree(text)
    return isFields(configuration) ? fieldsOfObject(kindSchema(type), configuration) : undefined
  } catch (error) {
    // A writer that put no JSON there did not apply with kubectl.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

/** Keeps the annotation what was applied last, where the live object has it. */
export function keepLastApplied(merged: Draft, live: Draft, configuration: Draft, manager: string): void {
  if (manager !== movingManager || (textAt(live, 'metadata', 'annotations', annotation) ?? '') === '') return
  const { managedFields: _, ...metadata } = fieldsAt(configuration, 'metadata') ?? {}
  const text = `${jsonText({ ...configuration, metadata })}\n`
  setAt(merged, ['metadata', 'annotations', annotation], text.length > longestBytes ? '' : text)
}
