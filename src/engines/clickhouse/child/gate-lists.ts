/** The lists of the gate, in lower case. What can grow with a new engine is allowed by name; the rest is denied by name. */
const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** How a statement may begin. Not: SET, USE, SYSTEM, KILL, BACKUP, RESTORE, ATTACH, DETACH, GRANT, EXECUTE, UNDROP, … */
export const statements = words(
  'select with from show describe desc explain exists check insert create alter drop truncate optimize rename exchange delete update',
)

/** What may follow CREATE, and what may follow DROP, RENAME, … Not: FUNCTION, DICTIONARY, NAMED COLLECTION, USER, … */
export const objects = words('table tables database view materialized or temporary')

/** Bare words of clauses that reach files, disks, other servers or the server itself. In quotes they are plain names. */
export const deniedWords = words(`
  infile outfile dictionary dictionaries backup restore attach detach freeze unfreeze fetch disk volume kill grant revoke
  parallel undrop`)

/** Table functions that make rows out of nothing or out of our own tables. */
export const tableFunctions = words('numbers numbers_mt zeros zeros_mt generate_series generateseries view primes')

/**
 * Scalar functions that read files, ask the network or other processes, or name the machine; functions that call
 * a model; and functions that run SQL from a string, for which this gate is blind.
 */
export const deniedFunctions = words(`
  file catboostevaluate modelevaluate evalmlmethod eval reversednsquery lemmatize synonyms executable python disk
  getserverport getmacro getserversetting hostname fullhostname fqdn serveruuid getclienthttpheader
  addresstoline addresstolinewithinlines addresstosymbol demangle logtrace
  filesystemavailable filesystemcapacity filesystemunreserved zookeepersessionuptime
  aiclassify aigenerate aiembed aiextract aitranslate fuzzquery`)

/** Refused whatever this engine lists: table functions to files and the network, under the names of today. */
export const outside = words(`
  url urlcluster file filecluster filesystem s3 s3cluster gcs oss cosn remote remotesecure cluster clusterallreplicas mysql postgresql
  mongodb redis sqlite jdbc odbc hdfs hdfscluster azureblobstorage iceberg icebergs3 iceberglocal deltalake deltalakelocal hudi
  paimon executable python input merge loop dictionary eval values null generaterandom arrowstream arrow_stream
  sqlstandardvalues viewexplain viewifpermitted mergetreeindex mergetreeprojection`)

/** Table engines that keep their data in this directory or nowhere. */
export const engines = words(`
  mergetree replacingmergetree summingmergetree aggregatingmergetree collapsingmergetree versionedcollapsingmergetree
  coalescingmergetree memory null view materializedview atomic`)

/** Settings by which a request could reach a file or the network, choose another language, or escape this gate. */
export const deniedSettings =
  /^(dialect|.*_dialect|log_comment|implicit_select|format_schema.*|output_format_schema|format_template.*|format_avro_schema_registry.*|input_format_record_errors_file_path|default_(table|temporary_table|database)_engine|storage_file_read_method|engine_(file|url)_.*|into_outfile_.*|rename_files_after_processing|dynamic_disk_.*|disk|storage_policy|url_base|allow_introspection_functions|input_format_values_.*|(s3|azure|hdfs|ai|backup|restore|remote|cluster|cloud|kafka|iceberg|delta_lake|zookeeper|keeper|distributed|external|jemalloc|trace|query_profiler|memory_profiler)_.*|.*_file_path|.*named_collection.*|max_query_size|max_parser_depth)$/
