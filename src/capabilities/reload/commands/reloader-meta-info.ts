// ConfigMap `reloader-meta-info`: what runs and with which options, for tools that read it of Reloader.
import type { Api } from '#kube/client/api.ts'
import { dataInPlaceOf, inPlaceOf } from '#kube/client/update.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'

interface MetaInfo {
  readonly namespace: string
  /** Name of the Deployment; empty where nobody said. */
  readonly deployment: string
  readonly version: string
  /** Options by the names that upstream gives them. */
  readonly options: Readonly<Record<string, unknown>>
}

interface MetaConfigMap extends KubeObject {
  readonly data: Readonly<Record<string, string>>
}

/** The object; the time of the build is not known and left at Go's zero. */
function metaInfoObject({ namespace, deployment, version, options }: MetaInfo): MetaConfigMap {
  const buildInfo = {
    goVersion: '',
    releaseVersion: version,
    commitHash: '',
    commitTime: '0001-01-01T00:00:00Z',
    edition: 'ballast',
  }
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'reloader-meta-info',
      namespace,
      labels: { 'reloader.stakater.com/meta-info': 'reloader' },
    },
    data: {
      buildInfo: JSON.stringify(buildInfo),
      reloaderOptions: JSON.stringify(options),
      deploymentInfo: JSON.stringify({ name: deployment, namespace }),
    },
  }
}

/** Writes it with the rights that upstream has: get, create and update. A refusal is told, and everything goes on. */
export async function publishMetaInfo(
  { api, log }: { readonly api: Api; readonly log: Log },
  info: MetaInfo,
  signal: AbortSignal,
): Promise<void> {
  const configMaps = api.resource<MetaConfigMap>(builtIn.configmaps)
  const object = metaInfoObject(info)
  const { namespace } = info
  try {
    const existing = await configMaps.get(object.metadata.name, { namespace, signal }).catch((error: unknown) => {
      if (isNotFound(error)) return undefined
      throw error
    })
    if (existing === undefined) await configMaps.create(object, { namespace, signal, fieldManager: 'Reloader' })
    else {
      const next = inPlaceOf(existing, { ...object, data: dataInPlaceOf(existing, object.data) })
      await configMaps.update(next, { namespace, signal, fieldManager: 'Reloader' })
    }
  } catch (error) {
    if (signal.aborted) return
    log.warn({ namespace, why: messageOf(error) }, 'ConfigMap reloader-meta-info not written')
  }
}
