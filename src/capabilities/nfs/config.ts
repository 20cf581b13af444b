// The section `capabilities.nfs` of the configuration: what the driver takes as flags, by the names that its chart has, and what it lacks.

import * as z from 'zod'
import { durationBetween, quantity } from '#kube/schema/crd-fields.ts'
import { driverName, kubeletDirectory, mostVolumesPerNode } from './names.ts'

const longestPath = 1_024
const longestCacheMinutes = 24 * 60
const callLimits = { leastMs: 1_000, mostMs: 86_400_000 } as const
const retryLimits = { leastMs: 1_000, mostMs: 86_400_000 } as const
const usageLimits = { leastMs: 60_000, mostMs: 31 * 86_400_000 } as const
const highestPace = 100_000
const mostWalked = 1_000_000_000
const inventoryLimits = { leastMs: 600_000, mostMs: 31 * 86_400_000 } as const
const keepLimits = { leastMs: 3_600_000, mostMs: 3_650 * 86_400_000 } as const
const checkLimits = { leastMs: 60_000, mostMs: 86_400_000 } as const
const detachLimits = { leastMs: 60_000, mostMs: 86_400_000 } as const

const absolute = (meaning: string) =>
  z
    .string()
    .max(longestPath)
    .regex(/^\/[^\0\n]*$/, 'not an absolute path')
    .describe(meaning)

const onDeletePolicies = ['delete', 'retain', 'archive'] as const
const existingArchives = ['refuse', 'remove', 'number'] as const
const compressions = ['gzip', 'none', 'zstd'] as const

export const nfsConfiguration = z.object({
  driverName: z
    .string()
    .regex(/^[A-Za-z0-9]([-A-Za-z0-9.]{0,61}[A-Za-z0-9])?$/, 'not the name of a driver, such as "nfs.csi.k8s.io"')
    .default(driverName)
    .describe('by this name classes and volumes know the driver'),
  kubeletDir: absolute('the folder of the kubelet; k0s, microk8s and Talos have another').default(kubeletDirectory),
  mountPermissions: z
    .string()
    .regex(/^[0-7]{1,5}$/, 'not permissions as octal digits, such as "0777"')
    .default('0')
    .describe('of new folders and mounted ones where the class says none; 0 leaves them alone'),
  volStatsCacheExpireInMinutes: z
    .int()
    .min(1)
    .max(longestCacheMinutes)
    .default(10)
    .describe('how long the figures of a volume are good; each question is one to the server'),
  detachAfter: durationBetween(detachLimits.leastMs, detachLimits.mostMs)
    .optional()
    .describe('a mount that does not go, not by force either, is detached after so long; without it never'),
  mountChecks: durationBetween(checkLimits.leastMs, checkLimits.mostMs)
    .optional()
    .describe('nodes look so often whether mounts of pods still lead somewhere, and tell of those that do not; without it never'),
  node: z
    .object({
      stage: z
        .boolean()
        .default(false)
        .describe(
          'a volume is mounted once for all pods of its node, which see it by bind mounts; upstream mounts it for each pod',
        ),
      expand: z
        .boolean()
        .default(false)
        .describe('a volume counts as grown when the nodes that have it see its new size; upstream asks no node'),
      mostVolumes: z
        .int()
        .min(1)
        .max(mostVolumesPerNode)
        .optional()
        .describe('volumes of the driver that a node may have at once, which schedulers heed; without it any number'),
    })
    .prefault({}),
  controller: z
    .object({
      workingMountDir: absolute('where shares are mounted to make and remove folders').default('/tmp'),
      defaultOnDeletePolicy: z
        .enum(onDeletePolicies)
        .default('delete')
        .describe('what becomes of the folder of a deleted volume whose class does not say'),
      existingArchive: z
        .enum(existingArchives)
        .default('refuse')
        .describe(
          'where an archived folder has the name already: the deletion fails, the old one is removed, or the new one gets a number',
        ),
      snapshotCompression: z.enum(compressions).default('gzip'),
      useTarCommandInSnapshot: z.boolean().default(false).describe('the program tar packs, in place of ours'),
      timeout: durationBetween(callLimits.leastMs, callLimits.mostMs)
        .default('20m')
        .describe('of each call that makes, deletes, grows, packs or fills a volume; one that takes longer is asked for again'),
      retryIntervalMax: durationBetween(retryLimits.leastMs, retryLimits.mostMs)
        .default('30m')
        .describe('what fails is tried again after a second, then after twice as long each time, and at last so often'),
      volumeNamePrefix: z
        .string()
        .regex(/^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$/, 'not the beginning of a name, such as "pvc"')
        .default('pvc')
        .describe('before the UID of its claim in the name of a volume'),
      lists: z
        .boolean()
        .default(false)
        .describe('ListVolumes, ListSnapshots, GetSnapshot and GetCapacity are served, from what is on the servers'),
      modifyVolumes: z
        .boolean()
        .default(false)
        .describe('permissions of volumes change by VolumeAttributesClasses with mountPermissions; no mount sets them then'),
      attach: z
        .boolean()
        .default(false)
        .describe(
          'a volume for a single node is held to it by the controller (VolumeAttachments); upstream lets every node mount every volume',
        ),
      usage: z
        .object({
          enabled: z
            .boolean()
            .default(false)
            .describe('how much each volume uses: its folder is walked through, which the server feels'),
          interval: durationBetween(usageLimits.leastMs, usageLimits.mostMs)
            .default('12h')
            .describe('from the end of one walk of a volume to the next'),
          entriesPerSecond: z.int().min(1).max(highestPace).default(1_000).describe('files and folders that a walk looks at'),
          mostEntries: z
            .int()
            .min(1)
            .max(mostWalked)
            .default(1_000_000)
            .describe('of a volume; what is beyond is not counted, and said not to be'),
        })
        .prefault({}),
      expansion: z
        .object({
          needsRoom: z.boolean().default(false).describe('a volume grows only where its share has room now for what is added'),
          mostPerNamespace: quantity()
            .optional()
            .describe(
              'a volume grows only while those of its namespace have been granted no more together; without it they have what they ask for',
            ),
        })
        .prefault({}),
      inventory: z
        .object({
          enabled: z
            .boolean()
            .default(false)
            .describe('shares are looked through: doctor and page show folders, archives and volumes that belong to nobody'),
          interval: durationBetween(inventoryLimits.leastMs, inventoryLimits.mostMs)
            .default('6h')
            .describe('from the end of one look to the next'),
          keepArchives: durationBetween(keepLimits.leastMs, keepLimits.mostMs)
            .optional()
            .describe('archived folders in which nothing was changed for so long are removed; without it never'),
          mostArchived: quantity()
            .optional()
            .describe('archived folders of a share take at most so much, the oldest go; without it they take what they take'),
        })
        .refine(({ enabled, keepArchives, mostArchived }) => enabled || (keepArchives ?? mostArchived) === undefined, {
          message: 'archives are looked at only where inventory.enabled is true',
          path: ['enabled'],
        })
        .prefault({}),
      snapshots: z
        .object({
          enabled: z.boolean().default(true).describe('snapshots of volumes, where their kinds are in the cluster'),
          controller: z
            .boolean()
            .default(false)
            .describe('the snapshot controller of the cluster too, for all drivers; on only where none runs yet'),
        })
        .prefault({}),
    })
    .prefault({}),
})

export type NfsConfig = z.infer<typeof nfsConfiguration>
