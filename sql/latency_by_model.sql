-- How long each model took in the last 30 days, in milliseconds, exactly.
WITH ranked AS (
  SELECT
    model,
    generation_ms,
    ROW_NUMBER() OVER (PARTITION BY model ORDER BY generation_ms) AS place,
    COUNT(*) OVER (PARTITION BY model) AS images
  FROM generated_images
  WHERE
    status = 'succeeded'
    AND generation_ms IS NOT NULL
    AND day > CAST(CAST(current_date - INTERVAL '30' DAY AS DATE) AS VARCHAR)
)

SELECT
  model,
  images,
  MIN(generation_ms) FILTER (WHERE place >= 0.5 * images) AS p50,
  MIN(generation_ms) FILTER (WHERE place >= 0.9 * images) AS p90,
  MIN(generation_ms) FILTER (WHERE place >= 0.99 * images) AS p99
FROM ranked
GROUP BY model, images
ORDER BY images DESC, model
