import type { FieldError } from '#kube/field-error.ts'
import type { KubeObject } from '#kube/objects.ts'
import type { Draft } from '../json-value.ts'

export function setCustomDefaults(_schema: Draft, _draft: Draft): void {}
export function validateCustom(_schema: Draft, _draft: Draft, _existing: KubeObject | undefined): readonly FieldError[] {
  return []
}
