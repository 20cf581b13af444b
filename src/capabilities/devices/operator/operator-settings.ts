// The section `capabilities.devices.operator`: what upstream's operator takes as flags and environment, and whose images its DaemonSets run.

import * as z from 'zod'
import { deviceNames } from './plugin-kinds.ts'

const longestImage = 512
const mostOverrides = 64
const imageText = z.string().min(1).max(longestImage)
const imageName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9._]{0,126}[a-z0-9])?$/, 'not the name of an image, such as "intel-gpu-plugin"')

export const operatorConfiguration = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe("objects of Intel's kinds (GpuDevicePlugin and others) get their DaemonSets, as by Intel's operator"),
    devices: z
      .array(z.enum(deviceNames))
      .min(1)
      .max(deviceNames.length)
      .refine(names => new Set(names).size === names.length, 'each device once')
      .default([...deviceNames])
      .describe('of which devices objects count'),
    images: z
      .enum(['upstream', 'own'])
      .default('upstream')
      .describe('who serves GPUs and NPUs: the image that the object names, or Ballast'),
    ownImage: z
      .union([z.literal(''), imageText])
      .default('')
      .describe('the image of Ballast with images: own; empty: that of this version'),
    imagePullSecret: z.string().max(253).default('').describe('a Secret of a registry, for pods of new DaemonSets'),
    imageOverrides: z
      .record(imageName, imageText)
      .refine(overrides => Object.keys(overrides).length <= mostOverrides, `${mostOverrides} at most`)
      .default({})
      .describe('by name, which image it is, whatever objects say: intel-gpu-plugin: registry.example/intel-gpu-plugin@sha256:…'),
    admission: z
      .enum(['own', 'upstream', 'none'])
      .default('own')
      .describe("who has API servers ask about objects: Ballast, configurations of Intel's chart, nobody"),
  })
  .prefault({})

export type OperatorConfig = z.output<typeof operatorConfiguration>

/** What decisions about DaemonSets are made by. */
export interface OperatorSettings extends Pick<OperatorConfig, 'images' | 'imagePullSecret' | 'imageOverrides'> {
  /** Where DaemonSets are made. */
  readonly namespace: string
  readonly ownImage: string
}
