# Copyright 2026 The verl_sdpo authors
# SPDX-License-Identifier: Apache-2.0
"""Everything of verl's that this package overrides, wraps, calls or counts on, pinned to the version it was read in.

The tables are read against verl's source, not imported, so that a check needs neither Ray nor vLLM. After an upgrade of
verl the failing rows are the places to look at.
"""

import ast
import functools
import importlib.metadata
import importlib.util
import re
from pathlib import Path

import pytest

VERL = Path(importlib.util.find_spec("verl").origin).parent
REPOSITORY = Path(__file__).parents[1]
VERSION = "0.9.1"

TRAINER = "trainer/ppo/v1/trainer_base.py"
ALGORITHMS = "trainer/ppo/core_algos.py"
SEPARATE = "trainer/ppo/v1/trainer_separate_async.py"
WORKERS = "workers/engine_workers.py"
ENGINE = "workers/engine/fsdp/transformer_impl.py"
TOKENS = "utils/tokenizer/continuous_token.py"
TENSORDICT = "utils/tensordict_utils.py"
AGENT_LOOP = "experimental/agent_loop/agent_loop.py"
TOOL_LOOP = "experimental/agent_loop/tool_agent_loop.py"
VLLM_UTILS = "workers/rollout/vllm_rollout/utils.py"
BUCKETS = "workers/rollout/vllm_rollout/bucketed_weight_transfer.py"
PLATFORM = "plugin/platform/platform_manager.py"
TRACKING = "utils/tracking.py"
REWARD_LOOP = "experimental/reward_loop/reward_loop.py"
AGENT_LOOP_TQ = "trainer/ppo/v1/agent_loop_tq.py"
CLIENT = "workers/rollout/llm_server.py"
REPLICA = "workers/rollout/replica.py"
REPLAY_BUFFER = "trainer/ppo/v1/replay_buffer.py"
VLLM_SERVER = "workers/rollout/vllm_rollout/vllm_async_server.py"

# verl's file, symbol, all of its parameters, and what this package does with it.
SIGNATURES = [
    ("trainer/main_ppo.py", "run_ppo", "config task_runner_class", "main_sdpo calls it with a task runner of its own"),
    ("trainer/main_ppo.py", "TaskRunnerV1.run", "config", "main_sdpo overrides it to choose the trainer"),
    ("trainer/ppo/utils.py", "need_critic", "config", "main_sdpo calls it as verl's entry point does"),
    ("trainer/ppo/utils.py", "need_reference_policy", "config", "main_sdpo calls it as verl's entry point does"),
    ("utils/config.py", "validate_config", "config use_reference_policy use_critic", "main_sdpo, verl_checks call it"),
    (
        "utils/tokenizer/tokenizer.py",
        "hf_tokenizer",
        "name_or_path correct_pad_token correct_gemma2 **kwargs",
        "sdpo_trainers reads an external teacher's with it",
    ),
    (
        "utils/fs.py",
        "copy_to_local",
        "src cache_dir filelock verbose always_recopy use_shm",
        "sdpo_trainers fetches an external teacher with it",
    ),
    (
        "utils/reward_score/sandbox_fusion/utils.py",
        "call_sandbox_api",
        "sandbox_fusion_url code stdin compile_timeout run_timeout memory_limit_mb language",
        "sandbox_fusion sends programs with it",
    ),
    ("utils/config.py", "omega_conf_to_dataclass", "config dataclass_type", "trainer and worker call it"),
    ("utils/device.py", "auto_set_device", "config", "main_sdpo calls it"),
    (PLATFORM, "get_platform", "", "main_sdpo asks it"),
    (PLATFORM, "set_platform", "platform", "main_sdpo calls it"),
    (PLATFORM, "PlatformRegistry.register", "cls platform", "platform_cpu registers with it"),
    (
        TRACKING,
        "Tracking.__init__",
        "project_name experiment_name default_backend config",
        "trackers calls it once for each tracker",
    ),
    (TRACKING, "Tracking.log", "data step backend", "trackers calls it for one tracker at a time"),
    (TRACKING, "Tracking.finish", "exit_code", "trackers calls it for one tracker at a time"),
    (TRACKING, "ValidationGenerationsLogger.log", "loggers samples step", "the same"),
    (TRACKING, "DapoFilteredRewardTableLogger.log", "loggers reward_counts step", "the same"),
    (TRAINER, "get_trainer_cls", "name", "main_sdpo asks it for verl's own trainer"),
    (TRAINER, "PPOTrainer._build_replay_buffer", "", "main_sdpo overrides it to set the pace"),
    (TRAINER, "PPOTrainer._init_tokenizer", "", "sdpo_trainers overrides it"),
    (TRAINER, "PPOTrainer._init_dataloader", "", "sdpo_trainers and checkpoints override it"),
    (TRAINER, "PPOTrainer._init_resource_pool_mgr", "", "sdpo_trainers overrides it to choose the worker"),
    (TRAINER, "PPOTrainer._update_actor", "batch metrics", "sdpo_trainers overrides it: the one step SDPO adds"),
    (TRAINER, "PPOTrainer._shutdown_dump_executor", "", "run_end calls it before it ends a run"),
    (TRAINER, "PPOTrainer.on_train_begin", "", "stop_request overrides it: before the loop asks for the first step"),
    (TRAINER, "PPOTrainer.init", "", "watching overrides it to read its options"),
    (TRAINER, "PPOTrainer.step", "metrics timing_raw", "watching overrides it to count and to time"),
    (
        TRAINER,
        "PPOTrainer._next_train_batch",
        "num_prompts",
        "sdpo_trainers overrides it: training's prompts, and no others, before they go to the rollout",
    ),
    (
        TRAINER,
        "PPOTrainer._balance_batch",
        "batch metrics logging_prefix keep_minibatch",
        "watching overrides it: the first step after sampling that no mode has of its own",
    ),
    (
        TRAINER,
        "PPOTrainer._compute_metrics",
        "batch metrics timing_raw global_steps epoch",
        "watching overrides it: the last step before the loggers",
    ),
    (
        "trainer/ppo/checkpoint_callback.py",
        "CheckpointCallback.on_save",
        "trainer global_step checkpoint_dir async_save **kwargs",
        "checkpoints calls it when the folder has its name",
    ),
    (TRAINER, "PPOTrainer._step_once", "metrics timing_raw sample_batch_size", "test_time overrides it"),
    ("trainer/ppo/v1/trainer_sync.py", "PPOTrainerSync.on_sample_end", "", "test_time leaves it out without an update"),
    ("trainer/ppo/v1/trainer_sync.py", "PPOTrainerSync.on_step_end", "", "test_time leaves it out without an update"),
    (REPLAY_BUFFER, "ReplayBuffer.sample", "global_steps partition_id batch_size", "test_time calls it"),
    ("utils/dataset/rl_dataset.py", "collate_fn", "data_list", "test_time makes batches of its rows with it"),
    ("model_merger/fsdp_model_merger.py", "FSDPModelMerger.merge_and_save", "", "checkpoint.export calls it"),
    (TRAINER, "PPOTrainer._validate", "", "watching overrides it to keep the best checkpoint"),
    (TRAINER, "PPOTrainer._save_checkpoint", "", "watching and checkpoints override it"),
    (TRAINER, "PPOTrainer._load_checkpoint", "", "watching and checkpoints override it"),
    (
        SEPARATE,
        "PPOTrainerSeparateAsync._init_resource_pool_mgr",
        "",
        "it changes the worker; sdpo_trainers comes after",
    ),
    (
        REPLAY_BUFFER,
        "ReplayBuffer.__init__",
        "trainer_mode trainer_config max_off_policy_threshold max_off_policy_strategy sampler_kwargs poll_interval "
        "refill_fn filter_groups_metric train_batch_size gen_batch_size max_inflight_gen_batches "
        "sync_refill_failed_groups",
        "main_sdpo sets poll_interval afterwards, since no key reaches it",
    ),
    ("utils/seqlen_balancing.py", "calculate_workload", "seqlen_list", "rank_balance weighs samples by it"),
    (
        "utils/seqlen_balancing.py",
        "get_seqlen_balanced_partitions",
        "seqlen_list k_partitions equal_size",
        "rank_balance deals samples out by it",
    ),
    ("utils/seqlen_balancing.py", "log_seqlen_unbalance", "seqlen_list partitions prefix", "rank_balance's metrics"),
    (
        "utils/tokenizer/continuous_token_wiring.py",
        "create_continuous_token_builder",
        "tokenizer model_family hf_model_type chat_template_kwargs mm_processor_kwargs processor **builder_kwargs",
        "prompt_renderer calls it with the agent loop's arguments",
    ),
    (
        TOKENS,
        "ContinuousTokenBuilder.build_initial_tokens",
        "messages tools images videos audios mm_inputs_out",
        "prompt_renderer renders with it",
    ),
    ("tools/tool_registry.py", "load_all_tools", "tool_config_path function_tool_path", "prompt_renderer calls it"),
    ("utils/import_utils.py", "resolve_config_path", "config_path", "prompt_renderer calls it"),
    (TRAINER, "PPOTrainer._compute_old_log_prob", "batch metrics", "sdpo_trainers overrides it to leave the pass out"),
    (TRAINER, "PPOTrainer._compute_advantage", "batch metrics", "sdpo_trainers overrides it to reprompt before"),
    (ALGORITHMS, "register_adv_est", "name_or_enum", "advantage_estimator registers with it"),
    (
        ALGORITHMS,
        "compute_grpo_outcome_advantage",
        "token_level_rewards response_mask index epsilon norm_adv_by_std_in_grpo config",
        "advantage_estimator calls it for the hybrid",
    ),
    (ALGORITHMS, "get_policy_loss_fn", "name", "policy_terms asks it for the other loss"),
    (
        ALGORITHMS,
        "compute_policy_loss_vanilla",
        "old_log_prob log_prob advantages response_mask loss_agg_mode config rollout_is_weights",
        "policy_terms calls any of verl's losses with these",
    ),
    (ALGORITHMS, "kl_penalty", "logprob ref_logprob kl_penalty", "policy_terms calls it"),
    (
        ALGORITHMS,
        "agg_loss",
        "loss_mat loss_mask loss_agg_mode dp_size batch_num_tokens global_batch_size loss_scale_factor",
        "policy_terms calls it",
    ),
    (
        "workers/engine/base.py",
        "EngineRegistry.new",
        "cls model_type backend *args **kwargs",
        "teacher_choice calls it",
    ),
    (
        "single_controller/base/decorator.py",
        "make_nd_compute_dataproto_dispatch_fn",
        "mesh_name",
        "sdpo_worker's compute_teacher_log_prob is dispatched by it",
    ),
    (WORKERS, "TrainingWorker.set_loss_fn", "loss_fn", "sdpo_worker calls it"),
    (WORKERS, "TrainingWorker.train_mini_batch", "data", "sdpo_worker overrides it: teacher pass and EMA around it"),
    (WORKERS, "TrainingWorker.train_batch", "data", "sdpo_worker overrides it to leave empty mini-batches out"),
    (WORKERS, "TrainingWorker.infer_batch", "data", "sdpo_worker overrides it to tell of a lack of memory"),
    (
        WORKERS,
        "TrainingWorker.save_checkpoint",
        "local_path hdfs_path global_step max_ckpt_to_keep",
        "sdpo_worker overrides it to save the teacher",
    ),
    (
        WORKERS,
        "TrainingWorker.load_checkpoint",
        "local_path hdfs_path del_local_after_load",
        "sdpo_worker overrides it to load the teacher",
    ),
    (WORKERS, "ActorRolloutRefWorker.init_model", "", "sdpo_worker overrides it to start the teacher"),
    (
        "experimental/separation/engine_workers.py",
        "DetachActorWorker.__init__",
        "config role distillation_config **kwargs",
        "detached_worker derives from it",
    ),
    (
        "single_controller/base/decorator.py",
        "register",
        "dispatch_mode execute_mode blocking materialize_futures",
        "sdpo_worker",
    ),
    (ENGINE, "FSDPEngine.get_data_parallel_group", "", "sdpo_worker and teacher_pass call it"),
    (ENGINE, "FSDPEngine.eval_mode", "**kwargs", "teacher_pass runs the teacher in it"),
    (ENGINE, "FSDPEngine.lr_scheduler_step", "", "sdpo_worker calls it, and update_guard stands around it"),
    (ENGINE, "FSDPEngine.optimizer_step", "", "update_guard stands around it"),
    (ENGINE, "FSDPEngine.optimizer_zero_grad", "", "update_guard calls it"),
    (
        ENGINE,
        "FSDPEngine.forward_backward_batch",
        "data loss_function forward_only",
        "update_guard stands around it, and reads the losses",
    ),
    (ENGINE, "FSDPEngineWithLMHead.forward_step", "micro_batch loss_function forward_only", "teacher_pass calls it"),
    (
        ENGINE,
        "FSDPEngineWithLMHead.prepare_model_outputs",
        "output output_args micro_batch logits_processor_func",
        "it hands the logits to loss_adapter and teacher_pass",
    ),
    (TENSORDICT, "assign_non_tensor", "tensor_dict **kwargs", "the worker's files call it"),
    (TENSORDICT, "get", "tensordict key default", "the worker's files call it"),
    (TENSORDICT, "get_tensordict", "tensor_dict non_tensor_dict", "the worker's files call it"),
    (TENSORDICT, "get_non_tensor_data", "data key default", "loss_adapter calls it"),
    ("utils/metric/utils.py", "Metric.__init__", "aggregation value", "loss_adapter makes its metrics"),
    ("workers/utils/padding.py", "no_padding_2_padding", "tensor data", "loss_adapter calls it"),
    ("utils/distributed.py", "initialize_global_process_group_ray", "timeout_second backend", "adaptations wraps it"),
    (
        "workers/engine/base.py",
        "EngineRegistry.get_engine_cls",
        "cls model_type backend",
        "adaptations sets its variable",
    ),
    (
        VLLM_UTILS,
        "vLLMColocateWorkerExtension.update_weights_from_ipc",
        "peft_config base_sync_done use_shm",
        "rollout_weights replaces it on a CPU",
    ),
    (VLLM_UTILS, "vLLMColocateWorkerExtension._get_zmq_handle", "", "rollout_weights calls it"),
    (BUCKETS, "BucketedWeightReceiver.__init__", "zmq_handle device use_shm", "rollout_weights makes one"),
    (BUCKETS, "BucketedWeightReceiver.receive_weights", "on_bucket_received", "rollout_weights calls it"),
    (
        CLIENT,
        "LLMServerClient.generate",
        "request_id prompt_ids sampling_params image_data video_data audio_data mm_processor_kwargs **kwargs",
        "stop_reasons overrides it to note down why a response ended",
    ),
    (
        CLIENT,
        "FullyAsyncLLMServerClient.generate",
        "request_id prompt_ids sampling_params image_data video_data audio_data mm_processor_kwargs **kwargs",
        "stop_reasons overrides it: what verl says of a response that was interrupted and not resumed",
    ),
    (
        REPLAY_BUFFER,
        "ReplayBuffer.sample",
        "global_steps partition_id batch_size",
        "fixed_order overrides it to put batches in order",
    ),
    (
        REPLAY_BUFFER,
        "ReplayBuffer._wait_for_next_poll",
        "partition_id last_debug_time",
        "rollout_death ends the run there",
    ),
    (TRAINER, "PPOTrainer.fit", "agent_loop_manager", "rollout_death overrides it to look for deaths"),
    (TRAINER, "PPOTrainer._rollout_server_managers", "", "rollout_death asks it for the servers"),
    (CLIENT, "LLMServerManager.get_replicas", "", "rollout_death asks it for the servers"),
    (TRAINER, "PPOTrainer._compute_ref_log_prob", "batch metrics", "unjudged_steps leaves it out, as those below"),
    (TRAINER, "PPOTrainer._compute_values", "batch metrics", "the same"),
    (TRAINER, "PPOTrainer._update_critic", "batch metrics", "the same"),
    (
        AGENT_LOOP,
        "AgentLoopWorker.__init__",
        "config llm_client teacher_client reward_loop_worker_handles",
        "stop_reasons overrides it to listen to the client",
    ),
    (
        AGENT_LOOP,
        "AgentLoopWorker._run_agent_loop",
        "sampling_params trajectory agent_name trace **kwargs",
        "stop_reasons overrides it: a session begins",
    ),
    (AGENT_LOOP, "AgentLoopWorker._compute_score", "outputs kwargs", "stop_reasons overrides it: kwargs is the row"),
    (
        REWARD_LOOP,
        "RewardLoopManager._init_reward_loop_workers",
        "",
        "reward_workers overrides it: workers that are started anew",
    ),
    (AGENT_LOOP_TQ, "AgentLoopManagerTQ.__init__", "*args **kwargs", "stop_reasons overrides it to choose the worker"),
    (REPLICA, "RolloutReplicaRegistry.register", "cls name loader", "vllm_server registers with it"),
    (
        VLLM_SERVER,
        "vLLMHttpServer.generate",
        "prompt_ids sampling_params request_id image_data video_data audio_data mm_processor_kwargs priority "
        "kv_transfer_params",
        "vllm_server overrides it to tell stop from length",
    ),
    (
        VLLM_SERVER,
        "vLLMReplica.__init__",
        "replica_rank config model_config gpus_per_node is_reward_model is_teacher_model name_suffix",
        "vllm_server overrides it to choose the server",
    ),
]

# verl's file, a stretch of its code (white space aside), and what would break without it.
CODE = [
    (
        "workers/engine/base.py",
        "self.optimizer_zero_grad() outputs = self.forward_backward_batch(data, loss_function, forward_only=False) "
        "grad_norm = self.optimizer_step()",
        "update_guard stands around these three, in this order",
    ),
    (WORKERS, "if update_lr_scheduler: lr = self.engine.lr_scheduler_step()", "update_guard stands around it"),
    (
        TRAINER,
        "while current_epoch < self.config.trainer.total_epochs and self.global_steps <= self.total_training_steps:",
        "run_end and stop_request end a run by lowering the number of steps",
    ),
    (
        "trainer/main_ppo.py",
        'runner = task_runner_class.options(runtime_env={"nsight": nsight_options}).remote() '
        "else: runner = task_runner_class.remote() ray.get(runner.run.remote(config))",
        "main_sdpo sets the handlers of signals when the actor is started, after ray.init",
    ),
    (
        AGENT_LOOP,
        'final_output.reward_score = result["reward_score"] '
        'final_output.extra_fields["reward_extra_info"] = result["reward_extra_info"]',
        "reward_calls reads and writes them after it",
    ),
    ("trainer/ppo/v1/trainer_base.py", "self.replay_buffer.sample(", "stalls and rollout_death stand around it"),
    (REPLICA, "self.servers: list[ActorHandle] = []", "rollout_death asks each of them"),
    (REPLAY_BUFFER, "last_debug_time = self._wait_for_next_poll(", "rollout_death stands around it"),
    (
        SEPARATE,
        "if self.local_trigger_step == 0: self.actor_rollout_wg.save_model_to_cpu(0)",
        "unjudged_steps does so where it leaves the method out",
    ),
    ("trainer/main_ppo.py", "@ray.remote class TaskRunnerV1:", "main_sdpo takes the class out of Ray's metadata"),
    (
        "trainer/main_ppo.py",
        "get_trainer_cls(config.trainer.v1.trainer_mode)",
        "main_sdpo changes the registry's answer",
    ),
    (TRAINER, "TRAINER_REGISTRY: dict[str, type[PPOTrainer]] = {}", "main_sdpo writes into it"),
    (TRAINER, "batch = self._update_actor(batch, metrics=metrics)", "how sdpo_trainers' step is called"),
    (TRAINER, "batch = self._next_train_batch(num_prompts)", "where async modes get their prompts"),
    (TRAINER, "batch = self._next_train_batch() self._submit_batch_to_rollout(batch)", "where sync gets its prompts"),
    (TRAINER, "batch = self._step_once(iter_metrics, timing_raw, sample_batch_size)", "test_time ends questions in it"),
    (
        TRAINER,
        "batch = self.step(metrics, self.timing_raw) self._stop_profiling()",
        "test_time returns to the base in it, before a checkpoint is written and weights are sent",
    ),
    (
        TRAINER,
        "current_epoch = (self.global_steps - 1) // self.steps_per_epoch",
        "test_time sets steps_per_epoch so that there is one",
    ),
    (AGENT_LOOP_TQ, 'n = prompt.pop("__rollout_n__", config.n', "test_time says by it how many attempts a row has"),
    (
        "utils/checkpoint/checkpoint_manager.py",
        "def get_rng_state(): rng_state = {",
        "base_state keeps and restores generators with it",
    ),
    (TRAINER, "for batch_dict in self.val_dataloader:", "validation gets its prompts elsewhere"),
    (
        TRAINER,
        "batch = self._balance_batch(batch, metrics=metrics) # 4. compute old_log_prob",
        "sdpo_trainers gives samples their own prompts back before anything is computed",
    ),
    (
        TRAINER,
        "batch.reorder([j for partition in global_partition_lst for j in partition])",
        "the order that rank_balance starts from: a rank's samples one after the other",
    ),
    (TRAINER, "worker_group._dispatch_info[role] = dp_rank_mapping", "sdpo_trainers counts ranks there"),
    (TRAINER, '"mini_batch_size": ppo_mini_batch_size,', "rank_balance balances mini-batches of that size"),
    (TRAINER, '{"shuffle": self.config.actor_rollout_ref.actor.shuffle}', "and larger ones where they are shuffled"),
    (TENSORDICT, "idx_lst = torch.arange(tensordict.shape[0])", "a rank's mini-batches are stretches of its samples"),
    (TRAINER, "batch = upsample_batch_to_divisible_size(batch, batch_multiple,", "padding copies a sample after that"),
    (
        TRAINER,
        "self.role_worker_mapping[role] = ray.remote(ActorRolloutRefWorker)",
        "sdpo_trainers replaces the worker",
    ),
    (TRAINER, "self.tokenizer = model_config.tokenizer", "sdpo_trainers decodes with it"),
    (TRAINER, "is_last_step = self.global_steps >= self.total_training_steps", "watching ends a run by lowering it"),
    (TRAINER, "and self.global_steps <= self.total_training_steps:", "a run whose budget is spent makes no step"),
    (TRAINER, "is_last_step or self.global_steps % self.config.trainer.save_freq == 0", "the last step is saved"),
    (TRAINER, "is_last_step or self.global_steps % self.config.trainer.test_freq == 0", "and validated"),
    (TRAINER, 'with marked_timer("step", self.timing_raw):', "watching sums this time"),
    (TRAINER, "batch = self.step(metrics, self.timing_raw)", "watching's step comes before saving"),
    (TRAINER, "self._compute_metrics(batch, metrics, self.timing_raw,", "it comes after validation, once a step"),
    (
        TRAINER,
        'os.path.join(self.config.trainer.default_local_dir, f"global_step_{self.global_steps}")',
        "where watching finds a checkpoint",
    ),
    (
        TRAINER,
        "self.total_training_steps = total_training_steps",
        "set before _load_checkpoint, after which watching may lower it",
    ),
    (TRAINER, 'global_step_folder.split("global_step_")[-1]', "why a best checkpoint's folder has that name"),
    (TRAINER, "self._init_tokenizer() self._init_dataloader()", "checkpoints compares before any model is loaded"),
    (
        TRAINER,
        'self.config.trainer.default_local_dir, "latest_checkpointed_iteration.txt"',
        "it is in the staging folder",
    ),
    (TRAINER, 'self.config.trainer.get("max_actor_ckpt_to_keep", None)', "checkpoints sets it to null in a save"),
    (TRAINER, 'self.config.trainer.get("max_critic_ckpt_to_keep", None)', "the same"),
    (TRAINER, 'elif self.config.trainer.resume_mode == "resume_path":', "how checkpoints says what to load"),
    (TRAINER, "global_step_folder = self.config.trainer.resume_from_path", "the same"),
    (TRAINER, "self.checkpoint_callback = build_checkpoint_callback(config)", "checkpoints stands in for it in a save"),
    (TRAINER, 'dataloader_local_path = os.path.join(local_global_step_folder, "data.pt")', "manifest.DATA_POSITION"),
    ("model_merger/base_model_merger.py", "class ModelMergerConfig:", "checkpoint.export fills it in"),
    (
        "utils/checkpoint/checkpoint_manager.py",
        'os.path.join(root_path, "latest_checkpointed_iteration.txt")',
        "TRACKER",
    ),
    (
        "utils/checkpoint/fsdp_checkpoint_manager.py",
        'f"model_world_size_{self.world_size}_rank_{self.rank}.pt"',
        "names",
    ),
    (
        "utils/checkpoint/fsdp_checkpoint_manager.py",
        'f"optim_world_size_{self.world_size}_rank_{self.rank}.pt"',
        "checkpoint.reshard cuts them",
    ),
    (
        "utils/checkpoint/fsdp_checkpoint_manager.py",
        'if "rng" in extra_state_dict:',
        "checkpoint.reshard leaves a new rank's random state out",
    ),
    (
        "workers/engine/fsdp/utils.py",
        'mesh_shape=(world_size,), mesh_dim_names=["fsdp"]',
        "the mesh that checkpoint.reshard makes",
    ),
    (TRAINER, "self.timing_raw = {}", "sdpo_trainers times its step"),
    (TRAINER, "batch = self._compute_advantage(batch, metrics=metrics)", "how sdpo_trainers' override is called"),
    (
        TRAINER,
        'data["entropy"] = response_from_nested(data.pop("entropy"), data["response_mask"]) batch = tq.kv_batch_put( '
        'keys=batch.keys, partition_id=batch.partition_id, fields=data.select("old_log_probs", "entropy") )',
        "the entropies that high_entropy reads",
    ),
    (TRAINER, 'data.batch["token_level_rewards"] = data.batch["token_level_scores"]', "the estimator's rewards"),
    (
        "trainer/ppo/v1/utils.py",
        "if adv_estimator != core_algos.AdvantageEstimator.GRPO: return compute_advantage(",
        "sdpo's estimator gets every row of the batch",
    ),
    (
        "trainer/ppo/ray_trainer.py",
        "adv_estimator_fn = core_algos.get_adv_estimator_fn(adv_estimator) adv_kwargs = { "
        '"token_level_rewards": data.batch["token_level_rewards"], '
        '"response_mask": data.batch["response_mask"], "config": config, }',
        "what the estimator is called with",
    ),
    ("trainer/ppo/ray_trainer.py", 'adv_kwargs["index"] = data.non_tensor_batch["uid"]', "the estimator's groups"),
    (ALGORITHMS, "POLICY_LOSS_REGISTRY: dict[str, PolicyLossFn] = {}", "verl_checks asks it for a loss's name"),
    (ALGORITHMS, "ADV_ESTIMATOR_REGISTRY: dict[str, Any] = {}", "the estimator stands in it"),
    (
        "workers/utils/losses.py",
        "policy_loss -= entropy_coeff * entropy_loss",
        "policy_terms adds the terms up as verl does",
    ),
    ("workers/utils/losses.py", "policy_loss += kl_loss * config.kl_loss_coef", "policy_terms adds the same"),
    (
        "workers/utils/losses.py",
        'config.global_batch_info["batch_num_tokens"] = data["batch_num_tokens"]',
        "policy_terms sets the counts that verl's losses read",
    ),
    ("workers/config/model.py", "class HFModelConfig(BaseConfig):", "teacher_choice loads the external teacher by it"),
    (ENGINE, "offload_policy = CPUOffloadPolicy(pin_memory=True)", "why adaptations replaces the policy on a CPU"),
    (TRAINER, 'rename_dict(output["metrics"], "actor/")', "sdpo_trainers takes the prefix off again"),
    (TRAINER, 'output.pop("actor/mfu")', "sdpo_worker's metrics must have it"),
    ("trainer/ppo/v1/replay_buffer.py", "class ReplayBufferAsync(ReplayBuffer)", "it inherits poll_interval"),
    ("trainer/ppo/v1/replay_buffer.py", "time.sleep(self.poll_interval)", "main_sdpo sets it"),
    (TRAINER, 'if self.config.trainer.resume_mode == "disable":', "preflight/resume knows the modes"),
    (TRAINER, 'elif self.config.trainer.resume_mode == "auto":', "as above"),
    (TRAINER, 'elif self.config.trainer.resume_mode == "resume_path":', "as above"),
    (TRAINER, "drop_last=True", "preflight/data refuses fewer rows than a batch"),
    (
        "utils/checkpoint/checkpoint_manager.py",
        'return os.path.join(root_path, "latest_checkpointed_iteration.txt")',
        "preflight/resume reads it",
    ),
    (
        "workers/engine/utils.py",
        "assert total_data_size % (force_group_size * micro_batch_size_per_gpu) == 0",
        "preflight/sizes says so before",
    ),
    (SEPARATE, "ray.remote(DetachActorWorker)", "why separate_async has a worker of its own"),
    (SEPARATE, "self.actor_rollout_wg.save_model_to_cpu(", "what that worker must be able to do"),
    ("trainer/ppo/v1/agent_loop_tq.py", "field.update(kwargs)", "dataset columns are stored with a sample"),
    ("trainer/ppo/v1/agent_loop_tq.py", 'field["input_ids"] = input_ids', "batch_fields writes it anew"),
    ("trainer/ppo/v1/agent_loop_tq.py", 'field["position_ids"] = position_ids', "batch_fields writes it anew"),
    ("trainer/ppo/v1/agent_loop_tq.py", '"prompt_len": prompt_len,', "batch_fields writes the tag anew"),
    ("trainer/ppo/v1/agent_loop_tq.py", '"seq_len": prompt_len + response_len,', "and this one"),
    (AGENT_LOOP, 'output["prompts"] = torch.tensor(output.pop("prompt_ids")', "batch_fields writes it anew"),
    (AGENT_LOOP, "return prompt_ids[-prompt_length:]", "teacher_generation cuts a long question there"),
    ("trainer/ppo/v1/agent_loop_tq.py", '["reward_extra_info"]', "batch_fields reads feedback there"),
    ("trainer/ppo/padding_utils.py", "is_padding=True", "batch_fields reads the tag, and sets it"),
    ("trainer/ppo/padding_utils.py", "response_mask = torch.zeros_like(responses)", "what leave_out does too"),
    ("trainer/ppo/padding_utils.py", "loss_mask=response_mask,", "and this"),
    ("trainer/ppo/padding_utils.py", 'template_sample["uid"] = pad_uid', "and this, with each sample's own key"),
    ("trainer/ppo/padding_utils.py", "source_idx = 0", "why verdicts leaves samples out afterwards"),
    (TRAINER, 'data.non_tensor_batch["uid"] = np.array(', "groups are made by the field that leave_out changes"),
    (
        "experimental/reward_loop/reward_manager/naive.py",
        "self.tokenizer.decode(valid_response_ids, skip_special_tokens=True)",
        "evaluate/questions reads responses so",
    ),
    (
        "experimental/reward_loop/reward_manager/naive.py",
        'extra_info["num_turns"] = num_turns',
        "evaluate/judge adds the same",
    ),
    (
        "experimental/reward_loop/reward_manager/naive.py",
        'extra_info["rollout_reward_scores"] = rollout_reward_scores',
        "and this",
    ),
    (
        "experimental/reward_loop/reward_manager/naive.py",
        'reward_extra_info["acc"] = score',
        "evaluate/judge takes a bare score so",
    ),
    ("experimental/agent_loop/single_turn_agent_loop.py", "num_turns=2,", "evaluate/judge says so too"),
    ("trainer/ppo/metric_utils.py", "maj_val = vote2vals[maj_vote][0]", "docs/evaluate.md says how maj@k differs"),
    (AGENT_LOOP, 'self.data_config.get("apply_chat_template_kwargs", {})', "prompt_renderer takes the same"),
    (AGENT_LOOP, 'getattr(self.model_config.hf_config, "model_type", None)', "prompt_renderer takes the same"),
    (TOOL_LOOP, '@register("tool_agent")', "the agent loop whose tools prompt_renderer shows"),
    (TOOL_LOOP, 'tool_selection = extra_info.get("tool_selection")', "prompt_renderer selects the same tools"),
    (TOOL_LOOP, "tool.tool_schema.model_dump(exclude_unset=True, exclude_none=True)", "prompt_renderer dumps the same"),
    (WORKERS, "actor_worker_cls = TrainingWorker", "sdpo_worker sets it"),
    (WORKERS, "self.actor = self.actor_worker_cls(config=actor_training_config)", "sdpo_worker's class is used"),
    (WORKERS, 'self._is_actor = self.role in ["actor", "actor_rollout", "actor_rollout_ref"]', "sdpo_worker reads it"),
    (WORKERS, "self.loss_fn = None", "sdpo_worker's loss is an attribute"),
    (WORKERS, "self.device_name = get_device_name()", "sdpo_worker counts there"),
    (WORKERS, "self.engine: BaseEngine = EngineRegistry.new(", "sdpo_worker reads module and groups of it"),
    (WORKERS, "actor_output = self.train_batch(mini_batch_td)", "sdpo_worker's train_batch is called per mini-batch"),
    (WORKERS, "update_lr_scheduler=batch_idx == total_num_iterations - 1", "sdpo_worker steps the schedule"),
    (WORKERS, '[tu.get(output, "metrics") for output in output_lst]', "an empty mini-batch must still have metrics"),
    (ENGINE, 'batch_num_tokens = data["loss_mask"].sum()', "loss_adapter normalises by it"),
    (ENGINE, "tu.assign_non_tensor(data, dp_size=self.get_data_parallel_size())", "loss_adapter multiplies by it"),
    (
        ENGINE,
        "logits_processor_func(student_logits=logits_rmpad.unsqueeze(0), data=micro_batch)",
        "the first call of a loss",
    ),
    (ENGINE, "model_output=model_output, data=micro_batch, dp_group=self.get_data_parallel_group()", "the second call"),
    (ENGINE, 'key="distillation_use_topk", default=False', "the switch that hands logits to the loss"),
    (ENGINE, 'key="distillation_only", default=False', "the switch that leaves verl's log-probs out"),
    (ENGINE, 'device=["cuda", "npu"]', "why adaptations sets VERL_ENGINE_DEVICE"),
    ("workers/engine/base.py", 'os.getenv("VERL_ENGINE_DEVICE")', "adaptations sets it"),
    ("workers/config/actor.py", "loss_agg_mode: str", "sdpo_worker reads it"),
    ("workers/config/actor.py", "loss_scale_factor: Optional[int]", "sdpo_worker reads it"),
    ("workers/config/actor.py", "use_torch_compile: bool = True", "loss_adapter reads it"),
    ("workers/config/engine.py", "infer_micro_batch_size_per_gpu: int", "sdpo_worker reads it"),
    ("workers/config/engine.py", "infer_max_token_len_per_gpu: int", "sdpo_worker reads it"),
    ("utils/distributed.py", 'backend or f"cpu:gloo,{get_device_name()}:{get_nccl_backend()}"', "why it is wrapped"),
    ("__init__.py", '_entry_points(group="verl.plugins")', "how the plug-in is loaded"),
    (PLATFORM, 'os.environ.get("VERL_PLATFORM", "")', "platform_selection reads the same"),
    (
        "workers/rollout/vllm_rollout/vllm_rollout.py",
        "self.use_shm = not is_support_ipc()",
        "weights come through memory",
    ),
    (
        "trainer/main_ppo.py",
        'config.actor_rollout_ref.rollout.get("agent", {}).get("agent_loop_manager_class")',
        "sdpo.yaml names stop_reasons' manager there",
    ),
    (AGENT_LOOP_TQ, "@ray.remote class AgentLoopWorkerTQ(AgentLoopWorker):", "stop_reasons takes the class out"),
    (AGENT_LOOP_TQ, "self.agent_loop_workers_class = AgentLoopWorkerTQ", "stop_reasons sets it anew"),
    (
        AGENT_LOOP_TQ,
        "for i in range(n): task = asyncio.create_task( self._run_agent_loop(",
        "a session is one task, by which stop_reasons tells sessions apart",
    ),
    (AGENT_LOOP_TQ, "await self._compute_score(outputs, kwargs=kwargs)", "the reward is asked in the same task"),
    (
        AGENT_LOOP,
        "output: AgentLoopOutput = await agent_loop.run(sampling_params, **kwargs)",
        "and the agent loop runs",
    ),
    (AGENT_LOOP, "server_manager=self.llm_client,", "agent loops ask the client to which stop_reasons listens"),
    (AGENT_LOOP, "**{k: np.array([v] * n) for k, v in kwargs.items()}", "the row that the reward is told of"),
    (
        "experimental/reward_loop/reward_manager/naive.py",
        'extra_info = data_item.non_tensor_batch.get("extra_info", {})',
        "rewards are handed what stop_reasons writes there",
    ),
    (REWARD_LOOP, "self.reward_loop_workers_class = ray.remote(RewardLoopWorker)", "reward_workers sets it anew"),
    (
        REWARD_LOOP,
        'self.reward_loop_workers_class.options( name=f"reward_loop_worker_{i}", scheduling_strategy=ray.util.',
        "verl's own options leave reward_workers' restarts in force",
    ),
    (TRAINER, "self.logger = Tracking(project_name=", "trackers puts its own class under this name"),
    (TRAINER, "self.validation_generations_logger = ValidationGenerationsLogger(project_name=", "and under this one"),
    (TRAINER, "self.dapo_filtered_reward_logger = DapoFilteredRewardTableLogger(project_name=", "and under this one"),
    (
        TRAINER,
        "self.validation_generations_logger.log(self.config.trainer.logger, samples, self.global_steps)",
        "trackers leaves out of the names those that did not start",
    ),
    (TRACKING, "self.logger = {} self._finished = False", "trackers calls verl's constructor once for each tracker"),
    (
        TRACKING,
        'if getattr(self, "_finished", False): return self._finished = True loggers = getattr(self, "logger", {})',
        "trackers ends one tracker at a time with it",
    ),
    (TRAINER, "self.reward_loop_manager = RewardLoopManager(", "reward_workers puts its manager under this name"),
    (
        AGENT_LOOP,
        "result = await selected_reward_loop_worker_handle.compute_score.remote(data) "
        'final_output.reward_score = result["reward_score"] '
        'final_output.extra_fields["reward_extra_info"] = result["reward_extra_info"]',
        "reward_calls writes the same where the reward gave no score",
    ),
    (CLIENT, "output: TokenOutput = await server.generate.remote(", "the engine's own output"),
    (CLIENT, "output = await super().generate( request_id=request_id,", "a resuming client asks for each part"),
    (
        CLIENT,
        'if len(final_output.token_ids) >= original_max_tokens: final_output.stop_reason = "length"',
        "and says so of a response whose end is the last token allowed, too",
    ),
    (
        TRAINER,
        'np.array( [str(uuid.uuid4()) for _ in range(len(batch_dict["raw_prompt"]))], dtype=object )',
        "fixed_order numbers validation prompts there",
    ),
    (
        TRAINER,
        'batch_dict["uid"] = np.array([str(uuid.uuid4()) for _ in range(len(batch_dict["raw_prompt"]))], dtype=object)',
        "and training prompts there",
    ),
    (
        REPLAY_BUFFER,
        "The key format is `{uid}_{session_id}_{index}`",
        "fixed_order orders samples by that",
    ),
    (
        AGENT_LOOP_TQ,
        "run_sampling_params, trajectory=trajectory, trace=trace, session_id=i, **prompt",
        "request_seeds reads session and uid, and sessions share the parameters",
    ),
    (
        "experimental/agent_loop/single_turn_agent_loop.py",
        'request_id = f"det-{priority}" if getattr(self.rollout_config, "full_determinism", False)',
        "request_seeds gives each session a name of its own",
    ),
    (
        "workers/rollout/router.py",
        "server_id = list(self._servers)[hash(request_id) % len(self._servers)]",
        "and by that name it always goes to the same engine",
    ),
    (
        VLLM_SERVER,
        'sampling_params.setdefault("seed", self.replica_rank + self.config.seed)',
        "request_seeds' seed is kept",
    ),
    (VLLM_SERVER, 'os.environ["VLLM_BATCH_INVARIANT"] = "1"', "vllm_server takes it back on a CPU"),
    (
        "trainer/main_ppo.py",
        'os.environ["PYTHONHASHSEED"] = str(rollout_cfg.seed)',
        "determinism: sets of strings have one order in every process",
    ),
    (VLLM_SERVER, "self.engine = engine_client", "vllm_server puts an engine around it"),
    (VLLM_SERVER, "generator = self.engine.generate(", "which hears the outputs"),
    (
        VLLM_SERVER,
        'elif finish_reason in ("stop", "length"): stop_reason = "completed"',
        "why vllm_server is needed",
    ),
    (VLLM_SERVER, "self.server_class = ray.remote(vLLMHttpServer)", "vllm_server sets it anew"),
    (REPLICA, "return RolloutReplicaRegistry.get(rollout)", "verl asks the registry"),
    (
        "workers/rollout/sglang_rollout/async_sglang_server.py",
        'finish_reason = finish_reason["type"] if finish_reason else None',
        "SGLang's reasons, stop and length among them, arrive as they are",
    ),
    (
        "trainer/ppo/reward.py",
        "if not inspect.iscoroutinefunction(raw_fn): return partial(_call_with_kwargs, raw_fn, reward_kwargs)",
        "compute_score_async is awaited, compute_score runs in a thread",
    ),
]

# verl's file, class, and the members that must be there.
MEMBERS = [
    ("trainer/ppo/utils.py", "Role", {"Actor", "ActorRollout", "ActorRolloutRef", "RefPolicy"}),
    ("utils/metric/utils.py", "AggregationType", {"SUM", "MAX", "MEAN"}),
]


@functools.cache
def source(file):
    return (VERL / file).read_text(encoding="utf-8")


@functools.cache
def tree(file):
    return ast.parse(source(file))


def find(file, symbol):
    node = tree(file)
    for name in symbol.split("."):
        kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
        matches = [child for child in node.body if isinstance(child, kinds) and child.name == name]
        assert matches, f"verl {VERSION}'s {file} no longer defines {symbol}"
        node = matches[-1]
    return node


def parameters(function):
    arguments = function.args
    names = [each.arg for each in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]]
    names += [f"*{arguments.vararg.arg}"] if arguments.vararg else []
    names += [f"**{arguments.kwarg.arg}"] if arguments.kwarg else []
    return [name for name in names if name != "self"]


def squeezed(text):
    return re.sub(r"\s+", "", text)


@functools.cache
def squeezed_source(file):
    return squeezed(source(file))


def test_verl_is_the_version_that_these_seams_were_read_in():
    import verl

    advice = (
        f"this package stands on verl {VERSION}: after an upgrade run this file, look at each row that fails in verl's "
        "source, run the end-to-end test, then change VERSION here and VERL in setup.py"
    )
    assert verl.__version__ == VERSION, advice
    assert importlib.metadata.version("verl") == VERSION, advice
    assert f'VERL = "{VERSION}"' in (REPOSITORY / "setup.py").read_text(encoding="utf-8"), advice


@pytest.mark.parametrize(("file", "symbol", "expected", "why"), SIGNATURES, ids=[row[1] for row in SIGNATURES])
def test_a_function_of_verls_has_the_parameters_we_count_on(file, symbol, expected, why):
    assert parameters(find(file, symbol)) == expected.split(), why


@pytest.mark.parametrize(("file", "code", "why"), CODE, ids=[row[1][:50] for row in CODE])
def test_verls_code_does_what_we_count_on(file, code, why):
    assert squeezed(code) in squeezed_source(file), why


@pytest.mark.parametrize(("file", "name", "members"), MEMBERS)
def test_a_class_of_verls_has_the_members_we_name(file, name, members):
    assigned = [node for node in ast.walk(tree(file)) if isinstance(node, ast.ClassDef) and node.name == name]
    assert assigned, f"verl {VERSION}'s {file} no longer defines {name}"
    names = {target.id for node in assigned[0].body if isinstance(node, ast.Assign) for target in node.targets}
    assert members <= names


def test_dispatch_to_every_rank_still_exists():
    from verl.single_controller.base.decorator import Dispatch

    assert "ONE_TO_ALL" in Dispatch


def test_rays_wrapping_still_shows_the_task_runner():
    from verl.trainer.main_ppo import TaskRunnerV1

    assert callable(TaskRunnerV1.__ray_metadata__.modified_class.run)


def test_rays_store_takes_and_returns_what_stop_request_hands_it():
    import inspect

    from ray.experimental import internal_kv

    assert list(inspect.signature(internal_kv._internal_kv_put).parameters)[:2] == ["key", "value"]
    assert list(inspect.signature(internal_kv._internal_kv_get).parameters)[:1] == ["key"]


def test_ray_counts_the_restarts_of_an_actor_where_reward_workers_looks():
    import inspect

    from ray._private import state

    assert "actor_id" in inspect.signature(state.actors).parameters
    assert '"NumRestarts": actor_table_data.num_restarts' in inspect.getsource(state.GlobalState._gen_actor_info)


def test_transfer_queue_takes_and_returns_what_we_hand_it():
    import inspect

    import transfer_queue as tq

    assert {"keys", "partition_id", "select_fields"} <= set(inspect.signature(tq.kv_batch_get).parameters)
    assert {"keys", "partition_id", "fields"} <= set(inspect.signature(tq.kv_batch_put).parameters)
    batch = tq.KVBatchMeta(keys=["a"], tags=[{"is_padding": True}], partition_id="train", fields=["f"])
    assert (len(batch), batch.keys, batch.tags, batch.partition_id) == (1, ["a"], [{"is_padding": True}], "train")
    batch = tq.KVBatchMeta(keys=["a", "b", "c", "d"], tags=[{}] * 4, partition_id="train")
    assert [part.keys for part in batch.select_keys(["d", "a", "c", "b"]).chunk(2)] == [["d", "a"], ["c", "b"]]


def imported_from_verl():
    """`module.name` for each name of verl's that the package imports."""
    names = set()
    for path in (REPOSITORY / "verl_sdpo").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "verl":
                names |= {alias.name for alias in node.names}
    return names


def test_every_name_imported_from_verl_is_pinned_here():
    pinned = {part for _, symbol, _, _ in SIGNATURES for part in symbol.split(".")} | {name for _, name, _ in MEMBERS}
    pinned |= set(re.findall(r"\w+", " ".join(code for _, code, _ in CODE)))
    # Checked by use: the platform's base class (tests/platforms), verl's trainers and the timer (tests/trainer), the
    # dataclass that ours derives from (tests/config), and Dispatch above.
    by_use = {
        "PlatformBase",
        "PPOTrainerSync",
        "PPOTrainerColocateAsync",
        "marked_timer",
        "FSDPActorConfig",
        "Dispatch",
    }
    modules = {"distributed", "trainer_base", "tensordict_utils"}
    assert imported_from_verl() - pinned - by_use - modules == set()
