// What can be changed of a volume that is there: a VolumeAttributesClass says it, when the volume is made and later.

import { status } from '@grpc/grpc-js'
import { CallRefused } from '#kube/grpc/served-method.ts'
import { permissionBits } from './share-path.ts'

const permissionsKey = 'mountPermissions'
const isPermissions = (key: string): boolean => key.toLowerCase() === permissionsKey.toLowerCase()

const invalid = (message: string) => new CallRefused(status.INVALID_ARGUMENT, message)

export interface Changes {
  /** Bits that the folder is to have; undefined: those that it has. */
  readonly permissions: number | undefined
}

/** What the parameters of a class of attributes ask for. @throws CallRefused for one that nobody can change */
export function changesAsked(parameters: ReadonlyMap<string, string>): Changes {
  let permissions: number | undefined
  for (const [key, value] of parameters) {
    if (!isPermissions(key))
      throw invalid(`mutable parameter ${JSON.stringify(key)} is none of this driver: expected ${permissionsKey} alone`)
    permissions = permissionBits(value, text => invalid(`invalid mountPermissions ${text} in volume attributes class`))
    if (permissions === 0) throw invalid('invalid mountPermissions 0 in volume attributes class: expected bits such as 0770')
  }
  return { permissions }
}

/** Which bits nodes set whenever they mount a volume, in words; undefined where they set none, so that others can be had. */
export function setByMounts(attributes: Readonly<Record<string, string>> = {}, byDefault: number): string | undefined {
  const [, said = ''] = Object.entries(attributes).find(([key]) => isPermissions(key)) ?? []
  if (said !== '') return Number.parseInt(said, 8) === 0 ? undefined : `it was made with mountPermissions ${said}`
  return byDefault === 0 ? undefined : `the driver's mountPermissions are ${byDefault.toString(8)}`
}

/** What a volume whose permissions may change is told: that no mount sets them. */
export function leftAlone(context: ReadonlyMap<string, string>): ReadonlyMap<string, string> {
  return new Map([...[...context].filter(([key]) => !isPermissions(key)), [permissionsKey, '0']])
}
