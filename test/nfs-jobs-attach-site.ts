// Nodes, volumes and their attachments, with the attacher beside a driver that attaches.

import type { KubeObject } from '#kube/objects/objects.ts'
import { controllerCapabilities } from '../src/capabilities/nfs/csi/messages.ts'
import { type Attachment, attachments } from '../src/capabilities/nfs/jobs/attach/attachment-decision.ts'
import { standardAttach } from '../src/capabilities/nfs/jobs/attach/settings.ts'
import { FakeDriver } from './nfs-jobs-driver.ts'
import { jobsSite, type Kill } from './nfs-jobs-site.ts'

export const finalizer = 'external-attacher/nfs-csi-k8s-io'

export const csiNode = (name: string): KubeObject =>
  ({
    apiVersion: 'storage.k8s.io/v1',
    kind: 'CSINode',
    metadata: { name },
    spec: { drivers: [{ name: 'nfs.csi.k8s.io', nodeID: name, topologyKeys: null }] },
  }) as KubeObject

export const volumeOf = (name: string, csi: object = {}): KubeObject =>
  ({
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      accessModes: ['ReadWriteOnce'],
      capacity: { storage: '1Gi' },
      persistentVolumeReclaimPolicy: 'Retain',
      mountOptions: ['nfsvers=4.1'],
      csi: {
        driver: 'nfs.csi.k8s.io',
        volumeHandle: `nas#export#${name.slice(3)}##`,
        volumeAttributes: { server: 'nas' },
        ...csi,
      },
    },
  }) as KubeObject

/** The attacher, two volumes, and two nodes that have the driver. */
export async function attachedSite(volumes: readonly KubeObject[] = [volumeOf('pv-plex'), volumeOf('pv-other')], kill?: Kill) {
  const { SINGLE_NODE_MULTI_WRITER, PUBLISH_UNPUBLISH_VOLUME, PUBLISH_READONLY } = controllerCapabilities
  const site = await jobsSite({
    config: { attach: standardAttach },
    driver: new FakeDriver({ can: [SINGLE_NODE_MULTI_WRITER, PUBLISH_UNPUBLISH_VOLUME, PUBLISH_READONLY] }),
    objects: [...['n1', 'n2'].map(csiNode), ...volumes],
    ...(kill === undefined ? {} : { kill }),
  })
  const attach = (name: string, nodeName: string, persistentVolumeName = 'pv-plex') =>
    site.create(attachments, {
      apiVersion: 'storage.k8s.io/v1',
      kind: 'VolumeAttachment',
      metadata: { name },
      spec: { attacher: 'nfs.csi.k8s.io', nodeName, source: { persistentVolumeName } },
    } as KubeObject)
  const attachment = (name: string) => site.list<Attachment>(attachments).find(({ metadata }) => metadata.name === name)
  site.start()
  return Object.assign(site, { attach, attachment })
}
