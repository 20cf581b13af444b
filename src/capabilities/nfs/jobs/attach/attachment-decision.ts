// What is to be done about a VolumeAttachment, by which Kubernetes asks that a node gets a volume, and that it loses it. A decision only.

import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { hasFinalizer, isBeingDeleted } from '../storage-kinds.ts'

interface AttachmentFailure {
  readonly time: string
  readonly message: string
}

export interface Attachment extends KubeObject {
  readonly spec: {
    /** The driver's name. */
    readonly attacher: string
    readonly nodeName: string
    readonly source: { readonly persistentVolumeName?: string }
  }
  readonly status?: {
    readonly attached: boolean
    readonly attachmentMetadata?: Readonly<Record<string, string>>
    readonly attachError?: AttachmentFailure
    readonly detachError?: AttachmentFailure
  }
}

export const attachments = builtIn.volumeattachments

/** Under this annotation it is kept which node was meant: the node may be gone when it is to lose the volume. */
export const nodeIdAnnotation = 'csi.alpha.kubernetes.io/node-id'

/** The finalizer by which upstream's attacher holds attachments and volumes. */
export const attacherFinalizer = (driver: string): string => `external-attacher/${driver.replaceAll(/[^a-zA-Z0-9-]/g, '-')}`

export function decideAttachment(attachment: Attachment, driver: string): 'attach' | 'detach' | 'leave' {
  if (attachment.spec.attacher !== driver) return 'leave'
  if (isBeingDeleted(attachment)) return hasFinalizer(attachment, attacherFinalizer(driver)) ? 'detach' : 'leave'
  return attachment.status?.attached === true ? 'leave' : 'attach'
}

/** Whether something else is to be done than before. */
export function isNews(previous: Attachment | undefined, attachment: Attachment, driver: string): boolean {
  if (previous === undefined || previous.metadata.uid !== attachment.metadata.uid) return true
  return decideAttachment(previous, driver) !== decideAttachment(attachment, driver)
}
