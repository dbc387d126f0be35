//! Every model, once, in the order of the textbook: its name in configs, its file, its module, its settings, its paper.

macro_rules! every_model {
    ($take:ident) => {
        $take! {
            "lr" lr Lr (LrConfig) "logistic regression; online with FTRL: McMahan et al., KDD 2013";
            "fm" fm Fm (FmConfig) "Rendle, Factorization Machines, ICDM 2010";
            "mlp" mlp Mlp (MlpConfig) "embedding + MLP, the base model of Zhou et al., KDD 2018";
            "wide_deep" wide_deep WideDeep (WideDeepConfig) "Cheng et al., Wide & Deep Learning for Recommender Systems, DLRS 2016";
            "deepfm" deepfm DeepFm (DeepFmConfig) "Guo et al., DeepFM, IJCAI 2017";
            "xdeepfm" xdeepfm XDeepFm (XDeepFmConfig) "Lian et al., xDeepFM, KDD 2018";
            "dcn_v2" dcn_v2 DcnV2 (DcnV2Config) "Wang et al., DCN V2, WWW 2021";
            "mlr" mlr Mlr (MlrConfig) "Gai et al., Learning Piece-wise Linear Models, 2017";
            "gbdt_lr" gbdt_lr GbdtLr (GbdtLrConfig) "He et al., Practical Lessons from Predicting Clicks on Ads at Facebook, ADKDD 2014";
            "neumf" neumf NeuMf (NeuMfConfig) "He et al., Neural Collaborative Filtering, WWW 2017";
            "din" din Din (DinConfig) "Zhou et al., Deep Interest Network, KDD 2018";
            "dien" dien Dien (DienConfig) "Zhou et al., Deep Interest Evolution Network, AAAI 2019";
            "youtube_dnn" youtube_dnn YoutubeDnn (YoutubeDnnConfig) "Covington et al., Deep Neural Networks for YouTube Recommendations, RecSys 2016";
            "item2vec" item2vec Item2Vec (Item2VecConfig) "Barkan & Koenigstein, Item2Vec, 2016";
            "eges" eges Eges (EgesConfig) "Wang et al., Billion-scale Commodity Embedding, KDD 2018";
            "deep_crossing" deep_crossing DeepCrossing (DeepCrossingConfig) "Shan et al., Deep Crossing, KDD 2016";
            "autoint" autoint AutoInt (AutoIntConfig) "Song et al., AutoInt, CIKM 2019";
            "shared_bottom" shared_bottom SharedBottom (SharedBottomConfig) "Caruana, Multitask Learning, Machine Learning 28, 1997";
            "moe" moe Moe (MoeConfig) "Shazeer et al., The Sparsely-Gated Mixture-of-Experts Layer, ICLR 2017";
            "omoe" omoe Omoe (OmoeConfig) "one-gate mixture of experts, as in Ma et al., KDD 2018";
            "mmoe" mmoe Mmoe (MmoeConfig) "Ma et al., Multi-gate Mixture-of-Experts, KDD 2018";
            "ple" ple Ple (PleConfig) "Tang et al., Progressive Layered Extraction, RecSys 2020";
            "esmm" esmm Esmm (EsmmConfig) "Ma et al., Entire Space Multi-Task Model, SIGIR 2018";
            "mmoe_esmm" mmoe_esmm MmoeEsmm (MmoeEsmmConfig) "Ma et al., KDD 2018, under the chain of Ma et al., SIGIR 2018";
            "esm2" esm2 Esm2 (Esm2Config) "Wen et al., Entire Space Multi-Task Modeling via Post-Click Behavior Decomposition, SIGIR 2020";
            "dbmtl" dbmtl Dbmtl (DbmtlConfig) "Wang et al., Deep Bayesian Multi-Target Learning for Recommender Systems, 2019";
            "dupn" dupn Dupn (DupnConfig) "Ni et al., Perceive Your Users in Depth, KDD 2018";
            "deepmcp" deepmcp DeepMcp (DeepMcpConfig) "Ouyang et al., Representation Learning-Assisted Click-Through Rate Prediction, IJCAI 2019";
            "nmtr" nmtr Nmtr (NmtrConfig) "Gao et al., Neural Multi-Task Recommendation from Multi-Behavior Data, ICDE 2019";
            "youtube_ranker" youtube_ranker YoutubeRanker (YoutubeRankerConfig) "Zhao et al., Recommending What Video to Watch Next, RecSys 2019";
            "drn" drn Drn (DrnConfig) "Zheng et al., DRN: A Deep Reinforcement Learning Framework for News Recommendation, WWW 2018";
        }
    };
}

pub(crate) use every_model;
