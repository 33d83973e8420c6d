-- The ten newest images with all that went into them.
SELECT
  created_at,
  id,
  user_id,
  prompt,
  full_prompt,
  model,
  model_id,
  seed,
  dataset_id,
  dataset_version,
  reference_images_count,
  dropped_params,
  cost_usd,
  sha256
FROM generated_images
WHERE status = 'succeeded' AND day > CAST(CAST(current_date - INTERVAL '90' DAY AS DATE) AS VARCHAR)
ORDER BY created_at DESC
LIMIT 10
