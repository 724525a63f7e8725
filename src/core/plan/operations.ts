import type { RoutingTable } from '../model/routing.ts'

/** Everything Weir can do to the world, as data. Only controllers/apply performs them; each is create-or-adopt by id. */
export type Operation =
  | { readonly kind: 'ensure-resource'; readonly name: string; readonly release: number }
  | { readonly kind: 'remove-resource'; readonly name: string; readonly withData: boolean }
  | { readonly kind: 'start-task'; readonly id: string; readonly because: string }
  | { readonly kind: 'forget-task'; readonly id: string }
  | {
      readonly kind: 'start-replica'
      readonly id: string
      readonly service: string
      readonly origin: number
      readonly release: number
      readonly because: string
    }
  | { readonly kind: 'publish-table'; readonly table: RoutingTable }
  | { readonly kind: 'withdraw-table'; readonly version: RoutingTable['version'] }
  | { readonly kind: 'stop-replica'; readonly id: string; readonly because: string }

/** What the operation is about, for records: equal for the same effect. */
export function operationTarget(operation: Operation): string {
  switch (operation.kind) {
    case 'ensure-resource':
    case 'remove-resource':
      return operation.name
    case 'start-task':
    case 'forget-task':
    case 'start-replica':
    case 'stop-replica':
      return operation.id
    case 'publish-table':
      return `table ${operation.table.version.epoch}.${operation.table.version.n}`
    case 'withdraw-table':
      return `table ${operation.version.epoch}.${operation.version.n}`
  }
}
