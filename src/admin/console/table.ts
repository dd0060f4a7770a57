/** The types that columns have, which are those of PgBouncer's console. */
export type ColumnType = 'text' | 'int4' | 'int8' | 'numeric' | 'bool'

/** A column of a table that an operator is shown. */
export interface Column {
  readonly name: string
  readonly type: ColumnType
}

/** Numbers of columns of type `numeric` and `int8` are whole. `undefined` stands for NULL. */
export type Value = string | number | boolean | undefined

/** By the names of the columns; what is missing is NULL. */
export type Row = Readonly<Record<string, Value>>

/** Columns of one type. */
export function columns(type: ColumnType, names: string): readonly Column[] {
  return names.split(' ').map((name) => ({ name, type }))
}
