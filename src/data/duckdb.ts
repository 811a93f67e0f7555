import { MarauderError } from "../errors.ts";
import type { RawTable } from "./dataset.ts";

/**
 * Reads a parquet or JSON-lines file as text with DuckDB, which is loaded only here. It may read this file and nothing
 * else, and downloads no extension. Null becomes an empty cell. Throws DATA_CORRUPT.
 */
export async function queryTable(path: string, samples?: number): Promise<RawTable> {
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const database = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    threads: "1",
  });
  try {
    const connection = await database.connect();
    const quoted = `'${path.replaceAll("'", "''")}'`;
    await connection.run(`SET allowed_paths = [${quoted}]`);
    await connection.run("SET enable_external_access = false");
    await connection.run("SET lock_configuration = true");
    const source = /\.parquet$/i.test(path)
      ? `read_parquet(${quoted})`
      : `read_json(${quoted}, format = 'newline_delimited', sample_size = -1)`;
    const limit = samples === undefined ? "" : ` LIMIT ${Math.max(0, Math.trunc(samples))}`;
    const reader = await connection.runAndReadAll(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM ${source}${limit}`);
    const rows = reader.getRows().map((row) => row.map((cell) => (cell === null ? "" : String(cell))));
    return { header: reader.columnNames(), rows };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0]! : String(error);
    throw new MarauderError(
      "DATA_CORRUPT",
      `${path} cannot be read as a table (${reason}); it is truncated, damaged or of another format`,
      {
        cause: error,
      },
    );
  } finally {
    database.closeSync();
  }
}
