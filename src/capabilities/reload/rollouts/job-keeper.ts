// Manifests of Jobs that were deleted to be run again: kept in the API server until their successors are there, so that no crash and no
// refusal loses a Job.
import { createHash } from 'node:crypto'
import type { Job } from '#coordination/effects/job-manifest.ts'
import type { Target } from '#coordination/intent.ts'
import { AbsenceDoubtedError } from '#kube/client/absence.ts'
import type { Api, ResourceApi } from '#kube/client/api.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isAlreadyExists, isDryRunUnsupported, isNotFound } from '#kube/objects/status.ts'
import { baselineLabels } from '../baseline/baseline-store.ts'

const manifestLimitBytes = 512 * 1024
const fieldManager = 'ballast-reload'
const manifestKey = 'job.json'

interface ConfigMap extends KubeObject {
  readonly data?: Readonly<Record<string, string>>
}

export class JobKeeper {
  readonly #configmaps: ResourceApi<ConfigMap>
  readonly #namespace: string

  /** In our own namespace. */
  constructor(api: Api, namespace: string) {
    this.#configmaps = api.resource<ConfigMap>(builtIn.configmaps)
    this.#namespace = namespace
  }

  /** Keeps `manifest` in the place of `job`. @throws RangeError for one over 512 KiB: that Job is better left alone */
  async keep(job: Target, manifest: Job, signal: AbortSignal): Promise<void> {
    const text = JSON.stringify(manifest)
    const bytes = Buffer.byteLength(text)
    if (bytes > manifestLimitBytes)
      throw new RangeError(`its manifest has ${bytes} bytes, of which ${manifestLimitBytes} can be kept`)
    const metadata = { name: nameFor(job), namespace: this.#namespace, labels: baselineLabels }
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { [manifestKey]: text } }
    const options = { namespace: this.#namespace, fieldManager, signal }
    try {
      await this.#configmaps.create(object, options)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      await this.#configmaps.patch(metadata.name, { type: 'merge', body: { data: object.data } }, options)
    }
  }

  /**
   * What was kept in the place of `job`. Nobody else has that Job any more, and no watch needs to tell of it: that nothing is kept counts only
   * where the server would also take a new object of the name. @throws AbsenceDoubtedError where it says both; what the server says
   */
  async kept(job: Target, signal: AbortSignal): Promise<Job | undefined> {
    const name = nameFor(job)
    const options = { namespace: this.#namespace, signal }
    try {
      const { data } = await this.#configmaps.get(name, options)
      // An earlier question left it.
      if (data === undefined) await this.#delete(name, signal)
      const value: unknown = JSON.parse(data?.[manifestKey] ?? 'null')
      return isJob(value) ? value : undefined
    } catch (error) {
      if (error instanceof SyntaxError) return undefined
      if (!isNotFound(error)) throw error
    }
    try {
      await this.#takeName(name, signal)
      return undefined
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      throw new AbsenceDoubtedError(`ConfigMap ${this.#namespace}/${name} is not found, and its name is taken`, { cause: error })
    }
  }

  /** Asks whether the server would take an object of that name: by a dry run or, where a webhook knows none, by making it and taking it away. */
  async #takeName(name: string, signal: AbortSignal): Promise<void> {
    const metadata = { name, namespace: this.#namespace, labels: baselineLabels }
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata }
    const options = { namespace: this.#namespace, fieldManager, signal }
    try {
      await this.#configmaps.create(object, { ...options, dryRun: true })
    } catch (error) {
      if (!isDryRunUnsupported(error)) throw error
      await this.#configmaps.create(object, options)
      await this.#delete(name, signal)
    }
  }

  /** The successor is there, or nobody wants it any more. */
  async forget(job: Target, signal: AbortSignal): Promise<void> {
    await this.#delete(nameFor(job), signal)
  }

  async #delete(name: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#configmaps.delete(name, { namespace: this.#namespace, signal })
    } catch (error) {
      if (!isNotFound(error)) throw error
    }
  }
}

/** What `keep` wrote: an API server has validated it as a Job. */
function isJob(value: unknown): value is Job {
  return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Job' && 'metadata' in value
}

function nameFor({ namespace = '', name, uid = '' }: Target): string {
  return `ballast-reload-job-${createHash('sha256').update(`${namespace}/${name}/${uid}`).digest('hex').slice(0, 16)}`
}
