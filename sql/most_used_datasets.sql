-- The datasets of the last 90 days, the most used first, with the versions that were in use.
SELECT
  dataset_id,
  COUNT(*) AS records,
  COUNT(DISTINCT user_id) AS users,
  MIN(dataset_version) AS first_version,
  MAX(dataset_version) AS last_version,
  COUNT(*) FILTER (WHERE favorite AND deleted_at IS NULL) AS favorites
FROM generated_images
WHERE dataset_id IS NOT NULL AND day > CAST(CAST(current_date - INTERVAL '90' DAY AS DATE) AS VARCHAR)
GROUP BY dataset_id
ORDER BY records DESC, dataset_id
