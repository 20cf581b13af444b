import type { KubeObject } from '#kube/objects.ts'
import type { Draft } from '../json-value.ts'
import type { ResourceType } from './resource-type.ts'
import type { WriteOptions } from './write-pipeline.ts'

export interface AdmissionInput {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly object: Draft
  readonly existing: KubeObject | undefined
  readonly options: WriteOptions
  /** Texts that webhooks want shown to the client are added here. */
  readonly warnings?: string[]
}

export class Webhooks {
  async admit(_type: ResourceType, input: AdmissionInput): Promise<Draft> {
    return input.object
  }
}
