import { status } from '@grpc/grpc-js'
import { expect, test } from 'vitest'
import { changesAsked, leftAlone, setByMounts } from './changes.ts'

const asked = (parameters: Readonly<Record<string, string>>) => changesAsked(new Map(Object.entries(parameters)))

test('permissions, in any spelling of the key, and nothing else', () => {
  expect(asked({})).toEqual({ permissions: undefined })
  expect(asked({ MountPermissions: '02770' })).toEqual({ permissions: 0o2770 })
})

test.each([
  [{ iops: '3000' }, 'mutable parameter "iops" is none of this driver: expected mountPermissions alone'],
  [{ onDelete: 'retain', mountPermissions: '0770' }, /"onDelete" is none of this driver/],
  [{ mountPermissions: '0799' }, 'invalid mountPermissions 0799 in volume attributes class'],
  [{ mountPermissions: '0' }, /invalid mountPermissions 0 in volume attributes class: expected bits/],
  [{ mountPermissions: '' }, /expected bits/],
])('%j is refused', (parameters, message) => {
  expect(() => asked(parameters)).toThrow(expect.objectContaining({ code: status.INVALID_ARGUMENT }))
  expect(() => asked(parameters)).toThrow(message)
})

test.each([
  [undefined, 0, undefined],
  [{}, 0, undefined],
  [{}, 0o777, "the driver's mountPermissions are 777"],
  [{ mountPermissions: '' }, 0o777, "the driver's mountPermissions are 777"],
  [{ mountPermissions: '0' }, 0o777, undefined],
  [{ MOUNTPERMISSIONS: '0770' }, 0, 'it was made with mountPermissions 0770'],
])('what nodes set at a mount of %j, by default %i: %s', (attributes, byDefault, expected) =>
  expect(setByMounts(attributes, byDefault)).toBe(expected),
)

test('a volume whose permissions may change has no mount set them', () => {
  const context = leftAlone(new Map(Object.entries({ server: 'nas', MountPermissions: '0777' })))
  expect(Object.fromEntries(context)).toEqual({ server: 'nas', mountPermissions: '0' })
  expect(setByMounts(Object.fromEntries(context), 0o755)).toBe(undefined)
})
